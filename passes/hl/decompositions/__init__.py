"""Decompositions: what a composite is made of. `DECOMPOSITIONS[op](b, *operands, **attributes)` gives its results.

Like gradient rules they speak the vocabulary of OpBuilder only. A rule may use other composites: they are decomposed in
turn.
"""

from __future__ import annotations

from . import attention, composite, movement, random, window
from .rule import DecompositionTable, Rule

DECOMPOSITIONS: DecompositionTable = {
    **composite.DECOMPOSITIONS,
    **attention.DECOMPOSITIONS,
    **movement.DECOMPOSITIONS,
    **random.DECOMPOSITIONS,
    **window.DECOMPOSITIONS,
}

__all__ = ["DECOMPOSITIONS", "Rule"]
