"""How one op is made: the part of a builder that differs between IR and eager execution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from ..types import DType, TensorSpec
from .base import Attributes, HLOp

V = TypeVar("V")


class OpEmitter(ABC, Generic[V]):
    """How one op is made, and what a value's spec is."""

    @abstractmethod
    def emit(self, op: type[HLOp], operands: Sequence[V], attributes: Attributes) -> tuple[V, ...]:
        """The results of one op. Raises ShapeError where its rule is broken."""

    @abstractmethod
    def spec(self, value: V) -> TensorSpec:
        """Shape and element type of a value."""

    def shape(self, value: V) -> tuple[int, ...]:
        """The shape of a value."""
        return self.spec(value).shape

    def dtype(self, value: V) -> DType:
        """The element type of a value."""
        return self.spec(value).dtype

    def one(self, op: type[HLOp], *operands: V, **attributes: object) -> V:
        """The only result of an op."""
        return self.emit(op, operands, attributes)[0]
