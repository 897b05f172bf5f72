"""The checks of a function (dialects/hl/check.py): which argument is the record, what adds to it, what they say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import UNKNOWN_LOC, ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr, UnitAttr, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, BlockArgument, Operation, OpResult, SSAValue

from ...dialects.hl.check import CheckBase
from ...dialects.hl.control import ScanOp
from ...dialects.locations import describe
from ...dialects.marks import CHECKS_ATTRIBUTE, ERRORS_ATTRIBUTE, RESULT_ATTRIBUTE
from ..interface import argument_marks

WORDS = ("number", "error", "message", "line")
"""What the attribute of a function says of each check."""
LATE = "late"
"""The mark of a check in front of which state may have been updated."""


@dataclass(frozen=True)
class Check:
    """What a check raises, and where."""

    number: int
    error: str
    message: str
    line: str
    location: Attribute = UNKNOWN_LOC


def errors_argument(function: FuncOp) -> BlockArgument | None:
    """The argument that holds the record of errors."""
    for argument, marks in zip(function.body.block.args, argument_marks(function)):
        if ERRORS_ATTRIBUTE in marks:
            return argument
    return None


def records_of(function: FuncOp) -> list[OpResult]:
    """The records that a function makes, in order: of checks, and of loops with checks in them."""
    argument = errors_argument(function)
    last = function.body.block.last_op
    if argument is None or not isinstance(last, ReturnOp):
        return []
    result = argument_marks(function)[argument.index][RESULT_ATTRIBUTE]
    assert isinstance(result, IntegerAttr)
    value: SSAValue = last.operands[result.value.data]
    found: list[OpResult] = []
    while isinstance(value, OpResult) and (before := record_before(value)) is not None:
        found.append(value)
        value = before
    return found[::-1]


def record_before(record: OpResult) -> SSAValue | None:
    """The record that a check, or a loop, adds to."""
    op = record.op
    if isinstance(op, CheckBase):
        return op.record
    if isinstance(op, ScanOp) and record.index < len(op.carried):
        return op.carried[record.index]
    return None


def checks_in(op: Operation) -> list[Check]:
    """The checks that an op is or contains."""
    return [
        Check(inner.number.value.data, inner.error.data, inner.message.data, describe(inner.location), inner.location)
        for inner in op.walk()
        if isinstance(inner, CheckBase)
    ]


def checks_of(function: FuncOp) -> list[Check]:
    """The checks of a function at any level."""
    if CHECKS_ATTRIBUTE not in function.attributes:
        return checks_in(function)
    return [check for check, _ in _described(function)]


def late_checks(function: FuncOp) -> list[int]:
    """The checks in front of which state may have been updated, of a function whose kernels are known."""
    return [check.number for check, late in _described(function) if late]


def _described(function: FuncOp) -> Iterator[tuple[Check, bool]]:
    """What the function's attribute says of its checks. It may have been written by hand."""
    entries = function.attributes.get(CHECKS_ATTRIBUTE)
    for entry in cast("ArrayAttr[Attribute]", entries) if isinstance(entries, ArrayAttr) else ():
        words = (
            cast("Mapping[str, Attribute]", entry.data) if isinstance(entry, DictionaryAttr) else dict[str, Attribute]()
        )
        number, *others = (words.get(word) for word in WORDS)
        texts = [text.data for text in others if isinstance(text, StringAttr)]
        if isinstance(number, IntegerAttr) and len(texts) == 3:
            error, message, line = texts
            yield Check(number.value.data, error, message, line), LATE in words


def checks_attribute(checks: Collection[Check], late: Collection[int]) -> ArrayAttr[DictionaryAttr]:
    """The checks of a function whose kernels do not tell any more; `late`: by number, those after a change of state."""

    def entry(check: Check) -> DictionaryAttr:
        texts = map(StringAttr, (check.error, check.message, check.line))
        words: dict[str, Attribute] = dict(zip(WORDS, (IntegerAttr(check.number, i64), *texts), strict=True))
        return DictionaryAttr({**words, LATE: UnitAttr()} if check.number in late else words)

    return ArrayAttr([entry(check) for check in sorted(checks, key=lambda check: check.number)])
