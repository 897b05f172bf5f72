"""Attention: rows of values, weighted by how well their keys match a query."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import FloatAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import TensorSpec
from .base import AnyTensor, HLOp, known, mismatch, same_extent, same_shape, show
from .rules import FLOAT, check_kind
from .sequence import FLAG_PROPERTY


@irdl_op_definition
class AttentionOp(HLOp):
    """result = softmax(query @ key^T * scale + mask) @ value, and for each query the logarithm of the sum of exp of
    what softmax takes

    query [batch..., t, d], key [batch..., s, d], value [batch..., s, e], mask up to [batch..., t, s] with 1 where it
    repeats. A mask of truth values says which keys take part, one of numbers is added. Where `causal`, key j takes
    part for query i if j <= i. A query for which a mask leaves no key has zeros as its result, and -inf.

    %y, %l = hl.attention %q, %k, %v {causal = true, scale = 0.25}
               : tensor<8x16xf32>, tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x16xf32>, tensor<8xf32>
    """

    name = "hl.attention"
    query = operand_def(AnyTensor)
    key = operand_def(AnyTensor)
    value = operand_def(AnyTensor)
    mask = opt_operand_def(AnyTensor)
    causal = prop_def(FLAG_PROPERTY)
    scale = prop_def(FloatAttr)
    result = result_def(AnyTensor)
    log_sum = result_def(AnyTensor)
    traits = traits_def(Pure())
    DEFAULTS: ClassVar = {"causal": False}

    @classmethod
    def infer(
        cls,
        query: TensorSpec,
        key: TensorSpec,
        value: TensorSpec,
        mask: TensorSpec | None = None,
        *,
        causal: bool,
        scale: float,
    ) -> tuple[TensorSpec, ...]:
        return _attention(query, key, value, mask)


@irdl_op_definition
class AttentionGradientOp(HLOp):
    """The cotangents of query, key and value of an `hl.attention`, from that of its result

    `result` and `log_sum` are what the attention gave: with them nothing of size [t, s] needs to be kept.

    %dq, %dk, %dv = hl.attention_gradient %q, %k, %v, %y, %l, %dy {scale = 0.25} : ...
    """

    name = "hl.attention_gradient"
    query = operand_def(AnyTensor)
    key = operand_def(AnyTensor)
    value = operand_def(AnyTensor)
    result = operand_def(AnyTensor)
    log_sum = operand_def(AnyTensor)
    cotangent = operand_def(AnyTensor)
    mask = opt_operand_def(AnyTensor)
    causal = prop_def(FLAG_PROPERTY)
    scale = prop_def(FloatAttr)
    query_cotangent = result_def(AnyTensor)
    key_cotangent = result_def(AnyTensor)
    value_cotangent = result_def(AnyTensor)
    traits = traits_def(Pure())
    DEFAULTS: ClassVar = {"causal": False}

    @classmethod
    def infer(
        cls,
        query: TensorSpec,
        key: TensorSpec,
        value: TensorSpec,
        result: TensorSpec,
        log_sum: TensorSpec,
        cotangent: TensorSpec,
        mask: TensorSpec | None = None,
        *,
        causal: bool,
        scale: float,
    ) -> tuple[TensorSpec, ...]:
        expected = _attention(query, key, value, mask)
        for given, want, what in (
            (result, expected[0], "result"),
            (log_sum, expected[1], "logarithms of sums"),
            (cotangent, expected[0], "cotangent"),
        ):
            if given.dtype is not want.dtype or not same_shape(given.shape, want.shape):
                mismatch(want, given, f"{what} of attention")
        return query, key, value


def _attention(
    query: TensorSpec, key: TensorSpec, value: TensorSpec, mask: TensorSpec | None
) -> tuple[TensorSpec, TensorSpec]:
    """The result and a number a query."""
    check_kind(query.dtype, FLOAT)
    for other in (key, value):
        if other.dtype is not query.dtype:
            mismatch(query.dtype.name, other.dtype.name, "element types must be equal")
    q, k, v = query.shape, key.shape, value.shape
    if (
        len(q) < 2
        or not len(q) == len(k) == len(v)
        or not (same_shape(q[:-2], k[:-2]) and same_shape(q[:-2], v[:-2]))
        or not (same_extent(q[-1], k[-1]) and same_extent(k[-2], v[-2]))
    ):
        mismatch("[..., t, d], [..., s, d] and [..., s, e]", f"{show(q)}, {show(k)} and {show(v)}", "attention")
    batch = tuple(known(a, known(b, c)) for a, b, c in zip(q[:-2], k[:-2], v[:-2], strict=True))
    scores = (*batch, q[-2], known(k[-2], v[-2]))
    if mask is not None:
        if mask.dtype.kind != "bool" and mask.dtype is not query.dtype:
            mismatch(f"i1 or {query.dtype.name}", mask.dtype.name, "element type of the mask")
        fits = all(m == 1 or same_extent(m, n) for m, n in zip(reversed(mask.shape), reversed(scores)))
        if len(mask.shape) > len(scores) or not fits:
            mismatch(f"what repeats to {show(scores)}", show(mask.shape), "mask of attention")
    return TensorSpec((*scores[:-1], v[-1]), query.dtype), TensorSpec(scores[:-1], query.dtype)
