"""Methods of OpBuilder for dialects/hl/{contraction,indexing,random,window,sequence}.py."""

from __future__ import annotations

from ..types import DType
from . import check, contraction, indexing, random, sequence, window
from .emitter import OpEmitter, V

Ints = tuple[int, ...]


class ArrayBuilder(OpEmitter[V]):
    """Methods for dialects/hl/{check,contraction,indexing,random}.py."""

    def matmul(self, x: V, y: V) -> V:
        return self.one(contraction.MatmulOp, x, y)

    def gather(self, x: V, indices: V, axis: int, batch_dims: int = 0) -> V:
        return self.one(indexing.GatherOp, x, indices, axis=axis, batch_dims=batch_dims)

    def scatter_add(self, base: V, indices: V, updates: V, axis: int, batch_dims: int = 0) -> V:
        return self.one(indexing.ScatterAddOp, base, indices, updates, axis=axis, batch_dims=batch_dims)

    def scatter(self, base: V, indices: V, updates: V, axis: int, batch_dims: int = 0) -> V:
        return self.one(indexing.ScatterOp, base, indices, updates, axis=axis, batch_dims=batch_dims)

    def check_range(
        self, x: V, record: V, low: int, high: int, number: int, error: str, message: str, allowed: int | None = None
    ) -> V:
        return self.one(
            check.CheckRangeOp,
            *(x, record),
            low=low,
            high=high,
            number=number,
            error=error,
            message=message,
            allowed=allowed,
        )

    def check_nonzero(self, x: V, record: V, number: int, error: str, message: str) -> V:
        return self.one(check.CheckNonzeroOp, x, record, number=number, error=error, message=message)

    def random_bits(self, state: V, shape: Ints) -> V:
        return self.one(random.RandomBitsOp, state, shape=shape)

    def uniform(self, state: V, shape: Ints, dtype: DType) -> V:
        return self.one(random.UniformOp, state, shape=shape, dtype=dtype)

    def bernoulli(self, state: V, p: V, shape: Ints) -> V:
        return self.one(random.BernoulliOp, state, p, shape=shape)


class WindowBuilder(OpEmitter[V]):
    """Methods for dialects/hl/window.py."""

    def conv(
        self, x: V, w: V, stride: Ints, low: Ints, high: Ints, dilation: Ints, input_dilation: Ints, groups: int = 1
    ) -> V:
        return self.one(
            window.ConvOp,
            x,
            w,
            stride=stride,
            low=low,
            high=high,
            dilation=dilation,
            input_dilation=input_dilation,
            groups=groups,
        )

    def correlate(self, x: V, w: V, stride: Ints, dilation: Ints) -> V:
        return self.one(window.CorrelateOp, x, w, stride=stride, dilation=dilation)

    def reduce_window(
        self, x: V, kind: window.WindowKind, extents: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints
    ) -> V:
        return self.one(
            window.ReduceWindowOp,
            x,
            kind=kind,
            window=extents,
            stride=stride,
            low=low,
            high=high,
            dilation=dilation,
        )

    def argmax_window(self, x: V, extents: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> V:
        return self.one(window.ArgmaxWindowOp, x, window=extents, stride=stride, low=low, high=high, dilation=dilation)

    def windows(self, x: V, dimension: int, size: int, step: int) -> V:
        return self.one(window.WindowsOp, x, dimension=dimension, size=size, step=step)


class SequenceBuilder(OpEmitter[V]):
    """Methods for dialects/hl/sequence.py."""

    def cumsum(self, x: V, dimension: int, reverse: bool = False) -> V:
        return self.one(sequence.CumsumOp, x, dimension=dimension, reverse=reverse)

    def cumprod(self, x: V, dimension: int, reverse: bool = False) -> V:
        return self.one(sequence.CumprodOp, x, dimension=dimension, reverse=reverse)

    def recurrence(self, a: V, x: V, dimension: int, reverse: bool = False) -> V:
        return self.one(sequence.RecurrenceOp, a, x, dimension=dimension, reverse=reverse)

    def sort(self, x: V, dimension: int, descending: bool = False) -> tuple[V, V]:
        """Values and indices."""
        values, indices = self.emit(sequence.SortOp, (x,), {"dimension": dimension, "descending": descending})
        return values, indices
