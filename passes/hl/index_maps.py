"""Where ops that only rearrange read: for each, the map from the result's indices to its operand's.

hl.transpose %x [1, 0]          (i, j) -> (j, i)
hl.broadcast %x along [1]       (i, j) -> (j)
hl.slice %x from [2] by [3]     (i) -> (3 * i + 2)
hl.reshape %x                   (i, j) -> (i)          only where it adds or drops extents of 1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.ir import Operation
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from ...dialects.hl import shape as hl
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.types import TensorSpec, spec_of

d = AffineDimExpr
ZERO = AffineConstantExpr(0)


def scaled(expression: AffineExpr, factor: int, offset: int) -> AffineExpr:
    """expression * factor + offset, as short as can be."""
    if factor != 1:
        expression = expression * factor
    return expression + offset if offset else expression


def _map(rank: int, results: Sequence[AffineExpr]) -> AffineMap:
    return AffineMap(rank, 0, tuple(results))


def _broadcast(x: TensorSpec, result: TensorSpec, *, dimensions: tuple[int, ...], **_: Any) -> AffineMap:
    stretched = [n == 1 and result.shape[k] != 1 for n, k in zip(x.shape, dimensions)]
    return _map(len(result.shape), [ZERO if s else d(k) for s, k in zip(stretched, dimensions)])


def _transpose(x: TensorSpec, result: TensorSpec, *, permutation: tuple[int, ...]) -> AffineMap:
    return _map(len(permutation), [d(permutation.index(k)) for k in range(len(permutation))])


def _slice(x: TensorSpec, result: TensorSpec, *, start: tuple[int, ...], step: tuple[int, ...], **_: Any) -> AffineMap:
    return _map(len(start), [scaled(d(k), t, s) for k, (s, t) in enumerate(zip(start, step))])


def _reverse(x: TensorSpec, result: TensorSpec, *, dimensions: tuple[int, ...]) -> AffineMap:
    flipped = [scaled(d(k), -1, n - 1) if k in dimensions else d(k) for k, n in enumerate(x.shape)]
    return _map(len(x.shape), flipped)


def _squeeze(x: TensorSpec, result: TensorSpec, **_: Any) -> AffineMap:
    long = iter(k for k, n in enumerate(result.shape) if n != 1)
    return _map(len(result.shape), [ZERO if n == 1 else d(next(long)) for n in x.shape])


MAPS: dict[type[HLOp], Callable[..., AffineMap]] = {
    hl.BroadcastOp: _broadcast,
    hl.TransposeOp: _transpose,
    hl.SliceOp: _slice,
    hl.ReverseOp: _reverse,
    hl.ReshapeOp: _squeeze,
}


def only_squeezes(op: Operation) -> bool:
    """Whether a reshape only adds or drops extents of 1, so that it is a map of indices."""
    before, after = (spec_of(v.type).shape for v in (op.operands[0], op.results[0]))
    return [n for n in before if n != 1] == [n for n in after if n != 1]


def index_map(op: Operation) -> AffineMap:
    """The map of an op that MAPS has a row for."""
    specs = [spec_of(v.type) for v in (op.operands[0], op.results[0])]
    return MAPS[type(op)](*specs, **attributes_of(op))  # pyright: ignore[reportArgumentType]
