"""What a gradient rule sees of the call that it differentiates, and the small helpers that rules share.

A rule is a function of a builder and a call; it returns a cotangent per operand, None where there is none:

    def reshape(b, call):
        return (b.reshape(call.ct, b.shape(call.x)),)

Arithmetic is written as a formula (`expr.py`). Rules speak the vocabulary of OpBuilder only, so that one table serves
the `differentiate` pass and eager backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from ....dialects.hl.base import HLOp
from ....dialects.hl.builder import OpBuilder

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class OpCall(Generic[V]):
    """One op as it was computed, with what is known about the gradients of its results."""

    operands: Sequence[V]
    results: Sequence[V]
    cotangents: Sequence[V | None]
    """Per result; None where nothing that matters depends on it. At least one is there."""
    attributes: Mapping[str, Any]
    needs: Sequence[bool]
    """Per operand: whether its cotangent is wanted."""

    @property
    def x(self) -> V:
        """The first operand."""
        return self.operands[0]

    @property
    def y(self) -> V:
        """The first result."""
        return self.results[0]

    def ints(self, name: str) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        return self.attributes[name]

    @property
    def ct(self) -> V:
        """The cotangent of the only result."""
        ct = self.cotangents[0]
        assert ct is not None, "a rule runs only where a cotangent is known"
        return ct


Rule: TypeAlias = Callable[[OpBuilder[Any], OpCall[Any]], Sequence[Any]]
"""Returns a cotangent, or None, per operand."""
GradientTable: TypeAlias = dict[type[HLOp], Rule]
ReasonTable: TypeAlias = dict[type[HLOp], str]

PartialDerivative: TypeAlias = Callable[[OpBuilder[Any], OpCall[Any]], Any]


def partials(*derivatives: PartialDerivative | None) -> Rule:
    """A rule from one derivative per operand, each asked only where it is wanted; None: never any."""

    def rule(b: OpBuilder[Any], call: OpCall[Any]) -> Sequence[Any]:
        return [d(b, call) if d is not None and need else None for d, need in zip(derivatives, call.needs, strict=True)]

    return rule


def zeros_like(b: OpBuilder[V], like: V) -> V:
    """Zeros of the spec of `like`."""
    return b.constant_like(like, 0.0)


def where(b: OpBuilder[V], condition: V, x: V) -> V:
    """x where the condition holds, 0 elsewhere (also where x is infinite or NaN, unlike a product with a mask)."""
    return b.select(condition, x, zeros_like(b, x))


def kept(rank: int, dimensions: Sequence[int]) -> tuple[int, ...]:
    """The dimensions of an operand that survive a reduction over `dimensions`."""
    return tuple(d for d in range(rank) if d not in dimensions)


def spread(b: OpBuilder[V], reduced: V, like: V, dimensions: Sequence[int]) -> V:
    """The value of a reduction over `dimensions` of `like`, repeated along these dimensions."""
    shape = b.shape(like)
    return b.broadcast(reduced, shape, kept(len(shape), dimensions))
