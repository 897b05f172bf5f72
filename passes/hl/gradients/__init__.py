"""Gradient rules: one table a family. Families get code, ops get a row.

`GRADIENTS[op](b, call)` gives a cotangent per operand. An op without a rule says in NO_GRADIENT why it has none, and is
treated as constant; one that is REFUSED instead raises an error where a gradient is asked for through it.
"""

from __future__ import annotations

from ....dialects.hl.elementwise import FloorDivOp
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
from .body import BODIES
from .call import GradientTable, OpCall, ReasonTable, Rule

_FAMILIES = (
    *(
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
    ),
)

GRADIENTS: GradientTable = {op: rule for family in _FAMILIES for op, rule in family.GRADIENTS.items()}
NO_GRADIENT: ReasonTable = {op: reason for family in _FAMILIES for op, reason in family.NO_GRADIENT.items()}
REFUSED = frozenset({FloorDivOp})

__all__ = ["BODIES", "GRADIENTS", "NO_GRADIENT", "REFUSED", "OpCall", "Rule"]
