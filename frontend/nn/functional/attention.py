"""Attention: queries that take weighted means of values, by how well their keys match."""

from __future__ import annotations

import math

from ....dialects.hl.attention import AttentionOp
from ....dialects.types import i1, i64
from ...dispatch import apply, builder
from ...errors import located, runtime_error
from ...ops.joining import cat
from ...ops.operands import expand_to
from ...tensor import Tensor
from .dropout import dropout
from .linear import linear
from .padding import pad


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q @ k.T * scale + mask) @ value. A boolean mask says what takes part; `is_causal` takes more out."""
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise runtime_error("scaled_dot_product_attention: query, key and value must have at least 2 dimensions")
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    batch = _common_batch(query, key, value, attn_mask) if dropout_p == 0.0 else None
    if batch is not None:
        operands = [expand_to(x, (*batch, *x._spec.shape[-2:])) for x in (query, key, value)]
        mask = () if attn_mask is None else (attn_mask,)
        return apply(AttentionOp, (*operands, *mask), {"causal": is_causal, "scale": float(factor)})[0]
    scores = query.matmul(key.transpose(-2, -1)) * factor
    if is_causal:
        scores = scores.masked_fill(after(*scores.shape[-2:]), -math.inf)
    if attn_mask is None:
        weights = scores.softmax(-1)
    else:
        masked = attn_mask.dtype.kind == "bool"
        scores = scores.masked_fill(~attn_mask, -math.inf) if masked else scores + attn_mask
        # What nothing takes part in is 0, not NaN.
        empty = scores.detach().eq(-math.inf).all(-1, keepdim=True)
        weights = scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)
    return dropout(weights, dropout_p).matmul(value)


def _common_batch(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[int, ...] | None:
    """The batch dimensions of an `hl.attention` of these; None where it does not take them, for what spells it out to
    convert, to repeat or to refuse."""
    specs = query._spec, key._spec, value._spec
    q, k, v = (spec.shape for spec in specs)
    dtype = query._spec.dtype
    if dtype.kind != "float" or any(spec.dtype is not dtype for spec in specs) or q[-1] != k[-1] or k[-2] != v[-2]:
        return None
    rank = max(map(len, (q, k, v))) - 2
    columns = zip(*((*(1,) * (rank + 2 - len(shape)), *shape[:-2]) for shape in (q, k, v)), strict=True)
    extents = [set(column) - {1} for column in columns]
    if any(len(found) > 1 for found in extents):
        return None
    batch = tuple(next(iter(found), 1) for found in extents)
    if mask is None:
        return batch
    given, scores = mask._spec.shape, (*batch, q[-2], k[-2])
    repeats = len(given) <= len(scores) and all(m in (1, n) for m, n in zip(reversed(given), reversed(scores)))
    return batch if repeats and (mask._spec.dtype is dtype or mask._spec.dtype is i1) else None


def after(rows: int, columns: int) -> Tensor:
    """True where the column is after the row: what causal attention leaves out."""
    shape = (rows, columns)
    return builder.compare("gt", builder.iota(shape, i64, 1), builder.iota(shape, i64, 0))


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads with projections, for (L, N, E) or (L, E); see nn.MultiheadAttention."""
    if query.ndim not in (2, 3):
        raise runtime_error(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    is_batched = query.ndim == 3
    if key.ndim != query.ndim or value.ndim != query.ndim:
        raise runtime_error(
            f"For {'batched (3-D)' if is_batched else 'unbatched (2-D)'} `query`, expected `key` and `value` to be "
            f"{query.ndim}-D but found {key.ndim}-D and {value.ndim}-D tensors respectively"
        )
    if query.shape[-1] != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {query.shape[-1]}")
    _check_pairs(key, value, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise runtime_error("Need attn_mask if specifying the is_causal hint.")
    q, k, v = _projected(
        *(query, key, value, in_proj_weight, in_proj_bias),
        (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None,
    )
    if not is_batched:
        q, k, v = q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = q.shape
    causal_only = is_causal and key_padding_mask is None and not need_weights
    mask = None if causal_only else _additive(attn_mask, q, "attn_mask")
    padding = _additive(key_padding_mask, q, "key_padding_mask")
    if bias_k is not None and bias_v is not None:
        k = cat([k, bias_k.expand(1, batch, width)], 0)
        v = cat([v, bias_v.expand(1, batch, width)], 0)
    head = width // num_heads
    # (N, heads, L, head)
    q = q.reshape(length, batch, num_heads, head).permute(1, 2, 0, 3)
    k = static_k if static_k is not None else _heads(k, batch, num_heads)
    v = static_v if static_v is not None else _heads(v, batch, num_heads)
    k = k.reshape(batch, num_heads, -1, head)
    v = v.reshape(batch, num_heads, -1, head)
    if add_zero_attn:
        zeros = k.new_zeros(batch, num_heads, 1, head)
        k, v = cat([k, zeros], 2), cat([v, zeros], 2)
    added = int(bias_k is not None and bias_v is not None) + int(add_zero_attn)
    mask = _merged(mask, padding, batch, num_heads, length, k.shape[2] - added, added)
    rate = dropout_p if training else 0.0
    weights: Tensor | None = None
    if need_weights:
        scores = (q * math.sqrt(1.0 / head)).matmul(k.transpose(-2, -1))
        weights = dropout((scores if mask is None else scores + mask).softmax(-1), rate)
        output = weights.matmul(v)
        kept = weights.mean(1) if average_attn_weights else weights
        weights = kept if is_batched else kept.squeeze(0)
    else:
        output = scaled_dot_product_attention(q, k, v, mask, rate, causal_only)
    output = linear(output.permute(2, 0, 1, 3).reshape(length, batch, width), out_proj_weight, out_proj_bias)
    return (output if is_batched else output.squeeze(1)), weights


def _projected(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: tuple[Tensor | None, ...] | None,
) -> tuple[Tensor, ...]:
    """Queries, keys and values; where they come from one tensor, by one product."""
    biases: tuple[Tensor | None, ...] = (None, None, None) if bias is None else bias.chunk(3)
    if separate is not None:
        if None in [None if w is None else 0 for w in separate]:
            raise AssertionError("use_separate_proj_weight is True but one of the projection weights is None")
        return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), separate, biases) if w is not None)
    if weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    if key is value:
        if query is key:
            return linear(query, weight, bias).chunk(3, -1)
        width = query.shape[-1]
        rest = None if bias is None else bias[width:]
        return linear(query, weight[:width], biases[0]), *linear(key, weight[width:], rest).chunk(2, -1)
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weight.chunk(3), biases))


def _heads(x: Tensor, batch: int, heads: int) -> Tensor:
    return x.reshape(x.shape[0], batch, heads, -1).permute(1, 2, 0, 3)


def _additive(mask: Tensor | None, like: Tensor, name: str) -> Tensor | None:
    """A mask to add to scores: a boolean one says what does not take part."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype.kind != "bool":
        raise located(AssertionError, f"only bool and floating types of {name} are supported")
    return like.new_zeros(mask.shape).masked_fill(mask, -math.inf)


def _check_pairs(key: Tensor, value: Tensor, separate: bool) -> None:
    """Every key has its value, in as many features unless these have projections of their own."""
    kept = key.ndim - 1 if separate else key.ndim
    if key.shape[:kept] != value.shape[:kept]:
        raise located(AssertionError, f"key shape {key.shape} does not match value shape {value.shape}")


def _merged(
    mask: Tensor | None, padding: Tensor | None, batch: int, heads: int, length: int, source: int, added: int
) -> Tensor | None:
    """Both masks as one that fits (N, heads, L, S); keys added at the end take part."""
    if mask is not None:
        allowed = {2: (length, source), 3: (batch * heads, length, source)}
        if tuple(mask.shape) != allowed.get(mask.ndim):
            expected = allowed.get(mask.ndim)
            if expected is None:
                raise located(
                    AssertionError, f"expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.ndim}-D tensor"
                )
            raise runtime_error(
                f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {expected}."
            )
        by_head = mask.reshape(batch, heads, length, source) if mask.ndim == 3 else mask
        mask = pad(by_head, (0, added))
    if padding is None:
        return mask
    if tuple(padding.shape) != (batch, source):
        raise located(
            AssertionError, f"expected `key_padding_mask` of shape {(batch, source)}, but got {tuple(padding.shape)}"
        )
    padding = pad(padding.reshape(batch, 1, 1, source), (0, added))
    return padding if mask is None else mask + padding


__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
