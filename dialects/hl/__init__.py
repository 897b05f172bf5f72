"""The high-level tensor dialect: whole-tensor ops with PyTorch's meanings."""

from __future__ import annotations

from types import ModuleType

from xdsl.ir import Dialect

from . import (
    attention,
    autodiff,
    check,
    composite,
    contraction,
    elementwise,
    indexing,
    random,
    reduction,
    sequence,
    shape,
    window,
)
from .base import HLOp, ShapeError
from .control import CONTROL
from .regions import REGIONS

FAMILIES: tuple[ModuleType, ...] = (
    elementwise,
    shape,
    reduction,
    contraction,
    window,
    sequence,
    indexing,
    check,
    random,
    composite,
    attention,
    autodiff,
)
"""The modules whose op classes make up the dialect."""


def _ops() -> list[type[HLOp]]:
    """Every op class that a family defines, in order: those with a `name`."""
    return [
        value
        for family in FAMILIES
        for value in vars(family).values()
        if isinstance(value, type)
        and issubclass(value, HLOp)
        and "name" in vars(value)
        and value.__module__ == family.__name__
    ]


OPS: tuple[type[HLOp], ...] = tuple(_ops())
HL = Dialect("hl", [*OPS, *CONTROL, *REGIONS])

__all__ = ["FAMILIES", "HL", "OPS", "HLOp", "ShapeError"]
