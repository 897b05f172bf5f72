"""What the arguments of a traced function are marked with."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr, UnitAttr, i64
from xdsl.ir import Attribute

from ...dialects.marks import ERRORS_ATTRIBUTE, RESULT_ATTRIBUTE
from ...runtime.storage import Storage
from ..tracing.trace import Input


def marks_of(source: Input, record: Storage) -> dict[str, Attribute]:
    """The attributes of an argument."""
    marks: dict[str, Attribute] = {} if source.result is None else {RESULT_ATTRIBUTE: IntegerAttr(source.result, i64)}
    if source.storage is record:
        marks[ERRORS_ATTRIBUTE] = UnitAttr()
    return marks


__all__ = ["marks_of"]
