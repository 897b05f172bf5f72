"""What a sample is, and arrays to make samples of."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from irtool.dialects.hl import HLOp
from irtool.dialects.types import DType, TensorSpec, dtype_of_numpy, f32, f64, i1, i32, i64, u8
from irtool.runtime.denormals import without_denormals

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Op: TypeAlias = type[HLOp]


@dataclass(frozen=True, eq=False)
class Sample:
    """Operands and attributes of one op."""

    arrays: tuple[Array, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    differentiable: bool = False
    """Whether finite differences make sense at this point (for the operands of type f64)."""
    ulps: float = 8.0
    """How far, in units of the last place, an implementation may be from the reference."""
    scale: float = 0.0
    """The size of terms that may cancel: errors up to `ulps` of it are fine too."""

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """Specs of the operands."""
        return tuple(TensorSpec(x.shape, dtype_of_numpy(x.dtype)) for x in self.arrays)

    def check(self, got: Array, want: Array) -> None:
        """Fails unless a result agrees with the reference: shape, element type and values, NaN and infinities too.

        Denormals count as zero.
        """
        assert (got.shape, got.dtype) == (want.shape, want.dtype), f"expected {want.shape} {want.dtype}"
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want)
            return
        got, want = without_denormals(got), without_denormals(want)
        error = self.ulps * float(np.finfo(want.dtype).eps)
        tiny = float(np.finfo(want.dtype).smallest_subnormal)
        np.testing.assert_allclose(got, want, rtol=error, atol=max(error * self.scale, self.ulps * tiny))


def generator(op: Op) -> np.random.Generator:
    """A random generator that gives the same numbers for the same op on every run."""
    return np.random.default_rng(zlib.crc32(op.name.encode()))


def random_array(
    g: np.random.Generator, shape: Sequence[int], dtype: DType, low: float = -3.0, high: float = 3.0
) -> Array:
    """Evenly distributed values between low and high, at least 1e-2 from every multiple of 1/2 if in f64."""
    if dtype.kind == "bool":
        return np.asarray(g.integers(0, 2, shape).astype(bool))
    if dtype.kind == "int":
        least = 0 if dtype is u8 else int(low)
        return np.asarray(g.integers(least, int(high) + 1, shape)).astype(dtype.numpy)
    values = np.asarray(g.uniform(low, high, shape))
    if dtype is f64:
        nearest = np.round(values * 2) / 2
        close = np.abs(values - nearest) < 1e-2
        values = np.where(close, nearest + np.where(nearest > (low + high) / 2, -0.02, 0.02), values)
    return values.astype(dtype.numpy)


def distinct(g: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """All values different, and not close."""
    count = int(np.prod(shape))
    values = g.permutation(count) - count // 2
    return (
        (values.astype(np.float64) * 0.37 + 0.11 if dtype.kind == "float" else values)
        .astype(dtype.numpy)
        .reshape(shape)
    )


SHAPES: dict[DType, tuple[tuple[int, ...], ...]] = {
    f32: ((), (1,), (0,), (37,), (3, 4), (2, 1, 5), (2, 0, 3), (2, 3, 1, 2)),
    f64: ((), (7,), (2, 3)),
    i64: ((5,), (2, 3)),
    i32: ((), (19,)),
    u8: ((4,), (1, 33)),
    i1: ((5,), (2, 2)),
}
"""The shapes that elementwise ops are tried on, by element type."""
SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -1.5, 1e-30, -1e-5, 1e30, 80.0, -90.0)


def pairs(values: Sequence[float], dtype: DType) -> tuple[Array, Array]:
    """Every value with every other one."""
    x, y = np.meshgrid(np.array(values), np.array(values), indexing="ij")
    return x.reshape(-1).astype(dtype.numpy), y.reshape(-1).astype(dtype.numpy)


Generator: TypeAlias = Callable[[Op], Iterator[Sample]]
"""Makes the samples of an op."""
DTYPES_OF_KIND = {"float": (f32, f64), "int": (i64, i32, u8), "bool": (i1,)}


def dtypes_of(op: Op) -> tuple[DType, ...]:
    """The element types that an op of the elementwise or the reduction family takes."""
    kinds: tuple[str, ...] = getattr(op, "KINDS")  # noqa: B009
    return tuple(dtype for kind in kinds for dtype in DTYPES_OF_KIND[kind])
