"""What attention is made of, for its decompositions and for the gradients of its gradient."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...dialects.hl.builder import OpBuilder
from ...dialects.types import i64

B = OpBuilder[Any]


def swap(b: B, x: Any) -> Any:
    """The last two dimensions exchanged."""
    rank = len(b.shape(x))
    return b.transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def along_rows(b: B, rows: Any, like: Any) -> Any:
    """A number a row, repeated along the row."""
    shape = b.shape(like)
    return b.broadcast(rows, shape, tuple(range(len(shape) - 1)))


class AttentionWeights(NamedTuple):
    """How much each value counts, [batch..., t, s], and what that was computed from."""

    weights: Any
    scores: Any
    empty: Any | None
    """Rows for which a mask leaves nothing; None without a mask."""
    left_out: tuple[Any, ...]
    """Conditions under which a score is a constant, in the order in which they were applied."""


def weights(b: B, query: Any, key: Any, mask: Any | None, causal: bool, scale: float) -> AttentionWeights:
    """softmax(query @ key^T * scale), with what the mask and time leave out."""
    scores = b.matmul(query, swap(b, key))
    scores = b.mul(scores, b.constant_like(scores, scale))
    shape = b.shape(scores)
    rank, last = len(shape), len(shape) - 1
    nothing = b.constant_like(scores, -math.inf)
    left_out: list[Any] = []
    if causal:
        square = shape[-2:]
        after = b.compare("gt", b.iota(square, i64, 1), b.iota(square, i64, 0))
        left_out.append(b.broadcast(after, shape, (rank - 2, rank - 1)))
        scores = b.select(left_out[-1], nothing, scores)
    if mask is None:
        return AttentionWeights(b.softmax(scores, last), scores, None, tuple(left_out))
    if b.dtype(mask).kind == "bool":
        left_out.append(_repeated(b, b.logical_not(mask), shape))
        scores = b.select(left_out[-1], nothing, scores)
    else:
        scores = b.add(scores, _repeated(b, mask, shape))
    # What nothing takes part in is 0, not NaN.
    empty = b.reduce_all(b.compare("eq", scores, nothing), (last,))
    left_out.append(along_rows(b, empty, scores))
    zero = b.constant_like(scores, 0.0)
    scores = b.select(left_out[-1], zero, scores)
    return AttentionWeights(b.select(left_out[-1], zero, b.softmax(scores, last)), scores, empty, tuple(left_out))


def log_sums(b: B, found: AttentionWeights) -> Any:
    """The logarithm of the sum of exp of each row of scores."""
    shape = b.shape(found.scores)
    last, rows = len(shape) - 1, shape[:-1]
    nothing = b.constant(-math.inf, rows, b.dtype(found.scores))
    if shape[-1] == 0:
        return nothing
    largest = b.reduce_max(found.scores, (last,))
    shifted = b.sub(found.scores, along_rows(b, largest, found.scores))
    result = b.add(largest, b.log(b.reduce_sum(b.exp(shifted), (last,))))
    return result if found.empty is None else b.select(found.empty, nothing, result)


def by_scores(b: B, found: AttentionWeights, by_weights: Any) -> Any:
    """The cotangent of query @ key^T * scale, and of a mask that is added, from that of the weights."""
    zero = b.constant_like(by_weights, 0.0)
    if found.empty is not None:
        by_weights = b.select(found.left_out[-1], zero, by_weights)
    mean = b.reduce_sum(b.mul(by_weights, found.weights), (len(b.shape(zero)) - 1,))
    result = b.mul(found.weights, b.sub(by_weights, along_rows(b, mean, by_weights)))
    for condition in reversed(found.left_out):
        result = b.select(condition, zero, result)
    return result


def unrepeated(b: B, x: Any, like: Any) -> Any:
    """The sum over what was repeated of a mask."""
    shape, wanted = b.shape(x), b.shape(like)
    extra = len(shape) - len(wanted)
    kept = [extra + d for d, n in enumerate(wanted) if n == shape[extra + d]]
    summed = b.reduce_sum(x, tuple(d for d in range(len(shape)) if d not in kept))
    return b.reshape(summed, wanted)


def _repeated(b: B, mask: Any, shape: tuple[int, ...]) -> Any:
    """A mask in the shape of the scores."""
    given = b.shape(mask)
    extra = len(shape) - len(given)
    kept = [d for d, n in enumerate(given) if n == shape[extra + d]]
    squeezed = b.reshape(mask, tuple(given[d] for d in kept))
    return b.broadcast(squeezed, shape, tuple(extra + d for d in kept))
