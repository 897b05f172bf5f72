"""Counter-based random numbers: each is a pure function of a state (seed, offset) and its index."""

from __future__ import annotations

from typing import ClassVar

from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import DType, TensorSpec, i1, i32, i64
from .base import AnyTensor, HLOp, check_shape, mismatch, same_shape
from .rules import FLOAT, check_kind

STATE = TensorSpec((2,), i64)
"""(seed, offset). Who draws n numbers moves the offset on by n."""


def check_state(state: TensorSpec) -> None:
    """Raises ShapeError unless this is the spec of a random state."""
    if state.dtype is not i64 or not same_shape(state.shape, STATE.shape):
        mismatch(f"{STATE}: (seed, offset)", state, "random state")


@irdl_op_definition
class RandomBitsOp(HLOp):
    """32 random bits an element, by Philox4x32-10

    Element i of the row-major order gets word i mod 4 of the block with key = (low, high word of the seed) and
    counter = (low, high word of i div 4, low, high word of the offset).

    %1 = hl.random_bits %0 : tensor<2xi64> -> tensor<8xi32>
    """

    name = "hl.random_bits"
    state = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("shape",)

    @classmethod
    def infer(cls, state: TensorSpec, *, shape: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_state(state)
        check_shape(shape)
        return (TensorSpec(shape, i32),)


@irdl_op_definition
class UniformOp(HLOp):
    """Evenly distributed over [0, 1), from `random_bits`

    f32: (bits >>> 8) * 2**-24        f64: unsigned(bits) * 2**-32

    %1 = hl.uniform %0 : tensor<2xi64> -> tensor<8xf32>
    """

    name = "hl.uniform"
    state = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("shape", "dtype")

    @classmethod
    def infer(cls, state: TensorSpec, *, shape: tuple[int, ...], dtype: DType) -> tuple[TensorSpec, ...]:
        check_state(state)
        check_shape(shape)
        check_kind(dtype, FLOAT)
        return (TensorSpec(shape, dtype),)


@irdl_op_definition
class BernoulliOp(HLOp):
    """True with probability p: uniform(state, shape, type of p) < p

    %2 = hl.bernoulli %0, %1 : tensor<2xi64>, tensor<f32> -> tensor<8xi1>
    """

    name = "hl.bernoulli"
    state = operand_def(AnyTensor)
    p = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("shape",)

    @classmethod
    def infer(cls, state: TensorSpec, p: TensorSpec, *, shape: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_state(state)
        check_shape(shape)
        check_kind(p.dtype, FLOAT)
        if p.shape:
            mismatch("a 0-d tensor", p, "probability")
        return (TensorSpec(shape, i1),)
