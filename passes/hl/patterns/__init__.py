"""Patterns of `canonicalize`: one table a family. Each function draws its rewrite and builds what replaces an op.

No pattern changes what a NaN or an infinity does. Two liberties are taken: the sign of a zero may change (`x + 0`), and
where a rewrite is more accurate than what it replaces (`x ** 2`, the sum of n equal numbers) the last bits may differ.
"""

from __future__ import annotations

from ....dialects.hl.base import HLOp
from . import arithmetic, checks, contraction, logic, movement, reductions
from .match import Pattern

_FAMILIES = (arithmetic, logic, movement, reductions, contraction, checks)

PATTERNS: dict[type[HLOp], tuple[Pattern, ...]] = {}
for _family in _FAMILIES:
    for _op, _patterns in _family.PATTERNS.items():
        PATTERNS[_op] = PATTERNS.get(_op, ()) + _patterns

__all__ = ["PATTERNS", "Pattern"]
