"""What grouping needs to know of each hl op: one table.

INLINE    cheap to compute again; every kernel that reads it makes its own: constants, broadcasts, transposes, slices
MAP       one value an index of the result, from values at that index (or from anywhere, by a gather)
REDUCE    a map over the operand's indices, some of which are folded away
CONTRACT  a sum of products; takes elementwise consumers as its epilogue
MOVE      writes its result from elsewhere or in an order of its own: pad, concat, sort, attention; a kernel of its own
CHECK     a check of values, with the record of errors; a kernel of its own, in front of all that changes state
HOST      a loop around kernels; runs in the host function, its body grouped by itself
ALIAS     a reshape: another view of the same bytes, which costs nothing between kernels; INLINE if only 1s come or go
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from xdsl.ir import Operation

from ....dialects.hl import (
    attention,
    check,
    contraction,
    control,
    elementwise,
    indexing,
    random,
    reduction,
    sequence,
    shape,
    window,
)
from ....dialects.hl.base import attributes_of
from ....dialects.types import spec_of
from ..index_maps import only_squeezes


class Role(Enum):
    """How an op takes part in a kernel; see the module's text."""

    INLINE = auto()
    MAP = auto()
    REDUCE = auto()
    CONTRACT = auto()
    MOVE = auto()
    CHECK = auto()
    HOST = auto()
    ALIAS = auto()


ROLES: dict[type[Operation], Role] = {
    **{op: Role.MAP for op in vars(elementwise).values() if isinstance(op, type) and "name" in vars(op)},
    random.RandomBitsOp: Role.MAP,
    indexing.GatherOp: Role.MAP,
    indexing.ScatterAddOp: Role.MOVE,
    indexing.ScatterOp: Role.MOVE,
    sequence.CumsumOp: Role.MOVE,
    sequence.CumprodOp: Role.MOVE,
    sequence.RecurrenceOp: Role.MOVE,
    sequence.SortOp: Role.MOVE,
    attention.AttentionOp: Role.MOVE,
    attention.AttentionGradientOp: Role.MOVE,
    **dict.fromkeys(check.CHECKS, Role.CHECK),
    shape.ConstantOp: Role.INLINE,
    shape.IotaOp: Role.INLINE,
    shape.BroadcastOp: Role.INLINE,
    shape.TransposeOp: Role.INLINE,
    shape.SliceOp: Role.INLINE,
    shape.ReverseOp: Role.INLINE,
    shape.PadOp: Role.MOVE,
    shape.ConcatOp: Role.MOVE,
    reduction.ReduceSumOp: Role.REDUCE,
    reduction.ReduceProdOp: Role.REDUCE,
    reduction.ReduceMaxOp: Role.REDUCE,
    reduction.ReduceMinOp: Role.REDUCE,
    reduction.ReduceAnyOp: Role.REDUCE,
    reduction.ReduceAllOp: Role.REDUCE,
    reduction.ArgmaxOp: Role.REDUCE,
    reduction.ArgminOp: Role.REDUCE,
    contraction.MatmulOp: Role.CONTRACT,
    window.CorrelateOp: Role.CONTRACT,
    control.ScanOp: Role.HOST,
}


def role_of(op: Operation) -> Role | None:
    """The role of an hl op; None for an op that grouping has no row for."""
    if isinstance(op, shape.ReshapeOp):
        return Role.INLINE if only_squeezes(op) else Role.ALIAS
    return ROLES.get(type(op))


def squeezed(extents: Sequence[int]) -> tuple[int, ...]:
    """A shape without its extents of 1: they make no difference to loops."""
    return tuple(n for n in extents if n != 1)


def domain(op: Operation) -> tuple[int, ...]:
    """The indices an op runs over, without 1s: of the operand of a reduction or a check, else of the result."""
    return squeezed(full_domain(op))


def full_domain(op: Operation) -> tuple[int, ...]:
    """The same with extents of 1; nothing for a loop."""
    if role_of(op) is Role.HOST:
        return ()
    value = op.operands[0] if role_of(op) in (Role.REDUCE, Role.CHECK) else op.results[0]
    return spec_of(value.type).shape


def reduced_dimensions(op: Operation) -> tuple[int, ...]:
    """The dimensions of its domain that a REDUCE op folds away, ascending."""
    attributes = attributes_of(op)
    reduced = (attributes["dimension"],) if "dimension" in attributes else attributes["dimensions"]
    extents = full_domain(op)
    return tuple(squeezed_position(extents, k) for k in sorted(reduced) if extents[k] != 1)


def squeezed_position(extents: Sequence[int], dimension: int) -> int:
    """Where a dimension stands when extents of 1 are left out."""
    return sum(n != 1 for n in extents[:dimension])
