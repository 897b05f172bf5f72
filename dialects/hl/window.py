"""Windows that slide over the last dimensions of a tensor: convolution and pooling.

A window of extents `window` is placed every `stride` elements; its own elements lie `dilation` apart. `low` and `high`
elements surround the operand (negative ones crop it), and `input_dilation - 1` zeros part its elements.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import DYNAMIC, DType, TensorSpec, i64
from .base import (
    INT_PROPERTY,
    INTS_PROPERTY,
    AnyTensor,
    HLOp,
    check_axis,
    known,
    mismatch,
    same_extent,
    show,
)
from .rules import NUMBER, check_kind
from .shape import check_length

Ints = tuple[int, ...]
WindowKind = Literal["sum", "max", "min"]
WINDOW_KINDS: tuple[str, ...] = get_args(WindowKind)


def check_at_least(least: int, values: Ints, what: str) -> None:
    """Raises ShapeError where one of several values is too small."""
    for d, value in enumerate(values):
        if value < least:
            mismatch(f"at least {least}", value, f"{what} of spatial dimension {d}")


def placements(
    extents: Ints, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, input_dilation: Ints
) -> Ints:
    """In how many places the window fits, by dimension. Raises ShapeError where it is in none."""
    rank = len(window)
    named = {"stride": stride, "low": low, "high": high, "dilation": dilation, "input_dilation": input_dilation}
    for what, values in named.items():
        check_length(values, rank, what)
    check_at_least(1, stride, "stride")
    check_at_least(1, dilation, "dilation")
    check_at_least(1, input_dilation, "input_dilation")
    check_at_least(1, tuple(1 if n == DYNAMIC else n for n in window), "window")
    found: list[int] = []
    for d, (n, k) in enumerate(zip(extents, window, strict=True)):
        if DYNAMIC in (n, k):
            found.append(DYNAMIC)
            continue
        padded = n + max(n - 1, 0) * (input_dilation[d] - 1) + low[d] + high[d]
        reach = (k - 1) * dilation[d] + 1
        if padded < reach:
            mismatch(f"at least {reach} elements, the window's reach", padded, f"padded spatial dimension {d}")
        found.append((padded - reach) // stride[d] + 1)
    return tuple(found)


def check_equal_dtypes(x: DType, w: DType) -> None:
    """Raises ShapeError unless both are the same numbers."""
    check_kind(x, NUMBER)
    if x is not w:
        mismatch(x.name, w.name, "element types must be equal")


@irdl_op_definition
class ConvOp(HLOp):
    """result[n, o, s...] = sum over c, k... of x[n, g * C + c, s * stride + k * dilation ...] * w[o, c, k...]

    A cross-correlation of x[N, groups * C, S...], with zeros around and between its elements, by w[O, C, K...], where
    o lies in group g of `groups` equal ones. Transposed convolution and both gradients are convolutions as well.

    %2 = hl.conv %0, %1 stride [1, 1] low [1, 1] high [1, 1] dilation [1, 1] input_dilation [1, 1]
        : tensor<8x3x32x32xf32>, tensor<16x3x3x3xf32> -> tensor<8x16x32x32xf32>
    """

    name = "hl.conv"
    x = operand_def(AnyTensor)
    w = operand_def(AnyTensor)
    stride = prop_def(INTS_PROPERTY)
    low = prop_def(INTS_PROPERTY)
    high = prop_def(INTS_PROPERTY)
    dilation = prop_def(INTS_PROPERTY)
    input_dilation = prop_def(INTS_PROPERTY)
    groups = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {name: name for name in ("stride", "low", "high", "dilation", "input_dilation", "groups")}
    DEFAULTS: ClassVar = {"groups": 1}

    @classmethod
    def infer(
        cls,
        x: TensorSpec,
        w: TensorSpec,
        *,
        stride: Ints,
        low: Ints,
        high: Ints,
        dilation: Ints,
        input_dilation: Ints,
        groups: int,
    ) -> tuple[TensorSpec, ...]:
        check_equal_dtypes(x.dtype, w.dtype)
        rank = len(x.shape)
        if rank < 3 or len(w.shape) != rank:
            mismatch("[N, C, S...] and [O, C, K...] of equal rank", f"{show(x.shape)} and {show(w.shape)}", "conv")
        if groups < 1:
            mismatch("at least 1", groups, "groups")
        channels, (outputs, inputs) = x.shape[1], w.shape[:2]
        if DYNAMIC not in (channels, inputs) and channels != inputs * groups:
            mismatch(f"{inputs} * {groups} groups = {inputs * groups}", channels, "channels of x")
        if outputs != DYNAMIC and outputs % groups:
            mismatch(f"a multiple of {groups} groups", outputs, "first dimension of w")
        spatial = placements(x.shape[2:], w.shape[2:], stride, low, high, dilation, input_dilation)
        return (TensorSpec((x.shape[0], outputs, *spatial), x.dtype),)


@irdl_op_definition
class CorrelateOp(HLOp):
    """A convolution without padding and input dilation, with its groups as a dimension if there are several

    result[n, g, o, s...] = sum over c, k... of x[n, g, c, s * stride + k * dilation ...] * w[g, o, c, k...]

    or the same without g. What `hl.conv` decomposes to.

    %2 = hl.correlate %0, %1 stride [1, 1] dilation [1, 1]
        : tensor<8x3x34x34xf32>, tensor<16x3x3x3xf32> -> tensor<8x16x32x32xf32>
    """

    name = "hl.correlate"
    x = operand_def(AnyTensor)
    w = operand_def(AnyTensor)
    stride = prop_def(INTS_PROPERTY)
    dilation = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"stride": "stride", "dilation": "dilation"}

    @classmethod
    def infer(cls, x: TensorSpec, w: TensorSpec, *, stride: Ints, dilation: Ints) -> tuple[TensorSpec, ...]:
        check_equal_dtypes(x.dtype, w.dtype)
        rank = len(stride)
        lead = len(x.shape) - rank
        if lead not in (2, 3) or len(w.shape) != len(x.shape):
            given = f"{show(x.shape)} and {show(w.shape)}"
            mismatch(f"ranks of {rank + 2}, or {rank + 3} with groups", given, "correlate")
        groups = w.shape[: lead - 2]
        for a, b in ((x.shape[lead - 1], w.shape[lead - 1]), *zip(x.shape[1 : lead - 1], groups)):
            if not same_extent(a, b):
                mismatch(a, b, "groups and channels must be equal")
        none = (0,) * rank
        spatial = placements(x.shape[lead:], w.shape[lead:], stride, none, none, dilation, (1,) * rank)
        shared = tuple(map(known, groups, x.shape[1 : lead - 1]))
        return (TensorSpec((x.shape[0], *shared, w.shape[lead - 2], *spatial), x.dtype),)


class WindowOp(HLOp):
    """Something about every window over the last dimensions of x"""

    x = operand_def(AnyTensor)
    window = prop_def(INTS_PROPERTY)
    stride = prop_def(INTS_PROPERTY)
    low = prop_def(INTS_PROPERTY)
    high = prop_def(INTS_PROPERTY)
    dilation = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {name: name for name in ("window", "stride", "low", "high", "dilation")}

    @classmethod
    def windows(cls, x: TensorSpec, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> Ints:
        """The shape of what has one element a window."""
        check_kind(x.dtype, NUMBER)
        lead = len(x.shape) - len(window)
        if lead < 0:
            mismatch(f"at least {len(window)} dimensions", show(x.shape), "operand under the window")
        check_at_least(0, low, "low")
        check_at_least(0, high, "high")
        spatial = placements(x.shape[lead:], window, stride, low, high, dilation, (1,) * len(window))
        return x.shape[:lead] + spatial


@irdl_op_definition
class ReduceWindowOp(WindowOp):
    """The sum, the largest or the smallest element of every window; what surrounds x does not count

    A NaN makes the largest and the smallest NaN. A window that holds no element has the neutral one: 0, -inf or inf,
    or the integer nearest to it.

    %1 = hl.reduce_window %0 "max" window [2, 2] stride [2, 2] low [0, 0] high [0, 0] dilation [1, 1]
        : tensor<8x16x32x32xf32> -> tensor<8x16x16x16xf32>
    """

    name = "hl.reduce_window"
    kind = prop_def(StringAttr)
    ASSEMBLY: ClassVar = {"kind": "", **WindowOp.ASSEMBLY}

    @classmethod
    def infer(
        cls, x: TensorSpec, *, kind: str, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints
    ) -> tuple[TensorSpec, ...]:
        if kind not in WINDOW_KINDS:
            mismatch(", ".join(WINDOW_KINDS), kind, "kind")
        return (TensorSpec(cls.windows(x, window, stride, low, high, dilation), x.dtype),)


@irdl_op_definition
class ArgmaxWindowOp(WindowOp):
    """Where the largest element of every window is, as i64: the first of equal ones, a NaN before all others

    The index counts through the last dimensions of x, those under the window, in row-major order. Every window must
    hold an element of x.

    %1 = hl.argmax_window %0 window [2, 2] stride [2, 2] low [0, 0] high [0, 0] dilation [1, 1]
        : tensor<8x16x32x32xf32> -> tensor<8x16x16x16xi64>
    """

    name = "hl.argmax_window"

    @classmethod
    def infer(
        cls, x: TensorSpec, *, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints
    ) -> tuple[TensorSpec, ...]:
        shape = cls.windows(x, window, stride, low, high, dilation)
        lead = len(x.shape) - len(window)
        for d, (n, k, t, before, after, between, count) in enumerate(
            zip(x.shape[lead:], window, stride, low, high, dilation, shape[lead:], strict=True)
        ):
            if n == DYNAMIC or not before + after:
                continue
            for start in range(-before, count * t - before, t):
                first = start if start >= 0 else start + -(start // between) * between
                if first >= n or first > start + (k - 1) * between:
                    mismatch("an element of x in every window", f"none in the one at {start}", f"spatial dimension {d}")
        return (TensorSpec(shape, i64),)


@irdl_op_definition
class WindowsOp(HLOp):
    """All windows of `size` neighbours along a dimension, `step` apart, in a new last dimension

    %1 = hl.windows %0 along 0 size 3 step 2 : tensor<8x4xf32> -> tensor<3x4x3xf32>
    """

    name = "hl.windows"
    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    size = prop_def(INT_PROPERTY)
    step = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along", "size": "size", "step": "step"}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimension: int, size: int, step: int) -> tuple[TensorSpec, ...]:
        check_axis(dimension, len(x.shape))
        n = x.shape[dimension]
        if min(size, step) < 1 or (n != DYNAMIC and size > n):
            mismatch(f"a size of 1 to {show((n,))} and a step of at least 1", f"{size} and {step}", "windows")
        count = DYNAMIC if n == DYNAMIC else (n - size) // step + 1
        return (TensorSpec((*x.shape[:dimension], count, *x.shape[dimension + 1 :], size), x.dtype),)
