"""What the shape rules of several families share: kinds of elements, operands that must agree."""

from __future__ import annotations

from ..types import DType, Kind, TensorSpec
from .base import known, mismatch, same_shape, show

FLOAT: tuple[Kind, ...] = ("float",)
NUMBER: tuple[Kind, ...] = ("float", "int")
INTEGER: tuple[Kind, ...] = ("int", "bool")
ANY: tuple[Kind, ...] = ("float", "int", "bool")


def check_kind(dtype: DType, kinds: tuple[Kind, ...]) -> None:
    """Raises ShapeError unless the element type is of one of the given kinds."""
    if dtype.kind not in kinds:
        mismatch(" or ".join(kinds) + " elements", dtype.name, "element type")


def common(first: TensorSpec, *others: TensorSpec) -> TensorSpec:
    """The spec that operands of equal shape and element type share. Raises ShapeError where they differ."""
    shape = first.shape
    for other in others:
        if other.dtype is not first.dtype:
            mismatch(first.dtype.name, other.dtype.name, "element types must be equal")
        if not same_shape(shape, other.shape):
            mismatch(show(shape), show(other.shape), "shapes must be equal")
        shape = tuple(map(known, shape, other.shape))
    return TensorSpec(shape, first.dtype)
