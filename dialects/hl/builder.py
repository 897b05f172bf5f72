"""One vocabulary to build with: the tracer, eager tensors, gradient rules and decompositions all speak it.

A gradient rule written as `b.mul(ct, b.cos(x))` makes IR when `b` is an IRBuilder, and computes at once when `b` works
on eager tensors. A builder only says how one op is emitted; the methods, one an op, come with the families. Those that
would emit an op which changes nothing return their operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr
from xdsl.ir import Block, Operation, SSAValue

from ..types import DYNAMIC, DType, TensorSpec, spec_of
from . import attention, autodiff, composite, reduction
from . import shape as s
from .base import Attributes, HLOp
from .builder_arrays import ArrayBuilder, SequenceBuilder, WindowBuilder
from .builder_elementwise import ElementwiseBuilder
from .emitter import OpEmitter, V

__all__ = ["IRBuilder", "OpBuilder", "OpEmitter"]


def as_number(value: float, dtype: DType) -> float:
    """A Python number in the type that its text shows for this element type: 1.0, 1 or true."""
    if dtype.kind == "float":
        return float(value)
    if dtype.kind == "bool" and value in (0, 1):
        return bool(value)
    return value if isinstance(value, float) and not value.is_integer() else int(value)


class ShapeBuilder(OpEmitter[V]):
    """Methods for dialects/hl/shape.py."""

    def constant(self, value: float | np.ndarray[Any, Any], shape: tuple[int, ...], dtype: DType) -> V:
        if not isinstance(value, np.ndarray):
            value = as_number(value, dtype)
        return self.one(s.ConstantOp, value=value, shape=shape, dtype=dtype)

    def constant_like(self, x: V, value: float) -> V:
        """`value` everywhere, in the shape and element type of x."""
        spec = self.spec(x)
        return self.constant(value, spec.shape, spec.dtype)

    def iota(self, shape: tuple[int, ...], dtype: DType, dimension: int) -> V:
        return self.one(s.IotaOp, shape=shape, dtype=dtype, dimension=dimension)

    def broadcast(self, x: V, shape: tuple[int, ...], dimensions: tuple[int, ...]) -> V:
        if self.is_static(x, shape) and dimensions == tuple(range(len(shape))):
            return x
        return self.one(s.BroadcastOp, x, shape=shape, dimensions=dimensions)

    def reshape(self, x: V, shape: tuple[int, ...]) -> V:
        return x if self.is_static(x, shape) else self.one(s.ReshapeOp, x, shape=shape)

    def transpose(self, x: V, permutation: tuple[int, ...]) -> V:
        if permutation == tuple(range(len(self.shape(x)))):
            return x
        return self.one(s.TransposeOp, x, permutation=permutation)

    def slice(self, x: V, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> V:
        if (
            self.is_static(x, stop)
            and not any(start)
            and all(n == 1 for n in step)
            and len(start) == len(step) == len(stop)
        ):
            return x
        return self.one(s.SliceOp, x, start=start, stop=stop, step=step)

    def pad(self, x: V, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...], value: float) -> V:
        if not any(low + high + interior) and len(low) == len(high) == len(interior) == len(self.shape(x)):
            return x
        return self.one(s.PadOp, x, low=low, high=high, interior=interior, value=as_number(value, self.dtype(x)))

    def concat(self, xs: Sequence[V], dimension: int) -> V:
        return xs[0] if len(xs) == 1 else self.one(s.ConcatOp, *xs, dimension=dimension)

    def reverse(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(s.ReverseOp, x, dimensions=dimensions) if dimensions else x

    def diagonal(self, x: V, offset: int) -> V:
        return self.one(s.DiagonalOp, x, offset=offset)

    def is_static(self, x: V, shape: tuple[int, ...]) -> bool:
        """Whether x is known to have this very shape."""
        return self.shape(x) == shape and DYNAMIC not in shape


class ReductionBuilder(OpEmitter[V]):
    """Methods for dialects/hl/reduction.py."""

    def reduce_sum(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceSumOp, x, dimensions=dimensions) if dimensions else x

    def reduce_prod(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceProdOp, x, dimensions=dimensions) if dimensions else x

    def reduce_max(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceMaxOp, x, dimensions=dimensions) if dimensions else x

    def reduce_min(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceMinOp, x, dimensions=dimensions) if dimensions else x

    def reduce_any(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceAnyOp, x, dimensions=dimensions) if dimensions else x

    def reduce_all(self, x: V, dimensions: tuple[int, ...]) -> V:
        return self.one(reduction.ReduceAllOp, x, dimensions=dimensions) if dimensions else x

    def argmax(self, x: V, dimension: int) -> V:
        return self.one(reduction.ArgmaxOp, x, dimension=dimension)

    def argmin(self, x: V, dimension: int) -> V:
        return self.one(reduction.ArgminOp, x, dimension=dimension)


class CompositeBuilder(OpEmitter[V]):
    """Methods for dialects/hl/composite.py."""

    def softmax(self, x: V, dimension: int) -> V:
        return self.one(composite.SoftmaxOp, x, dimension=dimension)

    def log_softmax(self, x: V, dimension: int) -> V:
        return self.one(composite.LogSoftmaxOp, x, dimension=dimension)

    def cross_entropy(
        self,
        logits: V,
        target: V,
        reduction: composite.Reduction = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> V:
        return self.one(
            composite.CrossEntropyOp,
            logits,
            target,
            reduction=reduction,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
        )

    def gelu(self, x: V, approximate: composite.Approximation = "none") -> V:
        return self.one(composite.GeluOp, x, approximate=approximate)

    def silu(self, x: V) -> V:
        return self.one(composite.SiluOp, x)

    def softplus(self, x: V) -> V:
        return self.one(composite.SoftplusOp, x)


class AttentionBuilder(OpEmitter[V]):
    """Methods for dialects/hl/attention.py."""

    def attention(
        self, query: V, key: V, value: V, mask: V | None = None, *, causal: bool = False, scale: float = 1.0
    ) -> tuple[V, V]:
        """What is attended to, and the logarithms of the sums of softmax."""
        operands = (query, key, value) if mask is None else (query, key, value, mask)
        result, log_sum = self.emit(attention.AttentionOp, operands, {"causal": causal, "scale": scale})
        return result, log_sum

    def attention_gradient(
        self,
        query: V,
        key: V,
        value: V,
        result: V,
        log_sum: V,
        cotangent: V,
        mask: V | None = None,
        *,
        causal: bool = False,
        scale: float = 1.0,
    ) -> tuple[V, ...]:
        """The cotangents of query, key and value."""
        operands = (query, key, value, result, log_sum, cotangent, *(() if mask is None else (mask,)))
        return self.emit(attention.AttentionGradientOp, operands, {"causal": causal, "scale": scale})


class AutodiffBuilder(OpEmitter[V]):
    """Methods for dialects/hl/autodiff.py."""

    def variable(self, x: V) -> V:
        return self.one(autodiff.VariableOp, x)

    def stop_gradient(self, x: V) -> V:
        return self.one(autodiff.StopGradientOp, x)

    def barrier(self, xs: Sequence[V]) -> tuple[V, ...]:
        return self.emit(autodiff.BarrierOp, xs, {})

    def gradient(self, y: V, xs: Sequence[V]) -> tuple[V, ...]:
        """The derivative of y, a single number, by each of xs."""
        return self.emit(autodiff.GradientOp, (y, *xs), {})


class OpBuilder(
    ElementwiseBuilder[V],
    ShapeBuilder[V],
    ReductionBuilder[V],
    ArrayBuilder[V],
    WindowBuilder[V],
    SequenceBuilder[V],
    CompositeBuilder[V],
    AttentionBuilder[V],
    AutodiffBuilder[V],
):
    """The whole vocabulary."""


class IRBuilder(OpBuilder[SSAValue]):
    """Makes xDSL ops: at the end of `block`, or before `anchor` where one is given."""

    def __init__(self, block: Block, anchor: Operation | None = None, location: LocationAttr = UNKNOWN_LOC) -> None:
        self.block = block
        self.anchor = anchor
        self.location = location
        """Stamped on every op made from here on."""

    def emit(self, op: type[HLOp], operands: Sequence[SSAValue], attributes: Attributes) -> tuple[SSAValue, ...]:
        new = op.build_op(operands, attributes)
        self.insert(new)
        return tuple(new.results)

    def insert(self, op: Operation) -> None:
        """Places an op that was made elsewhere."""
        op.location = self.location
        if self.anchor is None:
            self.block.add_op(op)
        else:
            self.block.insert_op_before(op, self.anchor)

    def spec(self, value: SSAValue) -> TensorSpec:
        return spec_of(value.type)
