"""Gradient rules: one table a family. Families get code, ops get a row.

`GRADIENTS[op](b, call)` gives a cotangent per operand. An op without a rule says in NO_GRADIENT why it has none, and is
treated as constant.
"""

from __future__ import annotations

from . import autodiff, check, composite, contraction, elementwise, indexing, random, reduction, sequence, shape, window
from .call import Call, GradientTable, ReasonTable, Rule

_FAMILIES = (
    *(elementwise, shape, reduction, contraction, window, sequence, indexing, check, random, composite, autodiff),
)

GRADIENTS: GradientTable = {op: rule for family in _FAMILIES for op, rule in family.GRADIENTS.items()}
NO_GRADIENT: ReasonTable = {op: reason for family in _FAMILIES for op, reason in family.NO_GRADIENT.items()}

__all__ = ["GRADIENTS", "NO_GRADIENT", "Call", "Rule"]
