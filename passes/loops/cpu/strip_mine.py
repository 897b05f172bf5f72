"""Cuts a planned loop into strips of vectors: the main part, its end, and for reductions what combines the lanes."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, math, scf, vector
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, i1
from xdsl.ir import SSAValue

from ....dialects.spmd import ShareOp
from ....dialects.types import element_of
from ...utils.constants import constant_value, vector_type
from ...utils.emitter import Emitter
from ...utils.loop_info import static_range
from .vector_plan import Reduction, VectorPlan
from .widen import Body, Values

__all__ = ["vectorize_loop"]

_LARGE = 120
"""A body with more operations than this is emitted once, under a mask, rather than twice."""
_WAYS = 4
"""So many strips go side by side: sums that need not wait for one another, rows that are read in longer runs."""
_SHORT_REDUCTION, _SHORT_NEST = 12, 40
"""Only bodies up to this size go side by side."""


def vectorize_loop(plan: VectorPlan, emitter: Emitter, lanes: int) -> None:
    """Replaces the planned loop by vector operations in front of the emitter."""
    loop = plan.loop
    if plan.reductions:
        for old, new in zip(loop.results, _reduction(plan, emitter, lanes), strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
    else:
        values = Values(plan, emitter, lanes)
        _, rest = _strips(plan, values, emitter, [])
        values.close()
        if rest is not None:
            _scalar_rest(plan, emitter, [], rest)
    loop.detach()
    loop.erase()


def _strips(
    plan: VectorPlan, values: Values, emitter: Emitter, carried: Sequence[SSAValue]
) -> tuple[Sequence[SSAValue], SSAValue | None]:
    """The innermost loop in strips, then its end under a mask; returns what it carries, as vectors.

    Where the end cannot be masked, also returns where the scalar loop over it has to start.
    """
    loop, lanes = plan.innermost, values.lanes
    step = emitter.index(lanes)
    lower, upper = loop.lb, loop.ub
    known = static_range(loop)
    if known is not None:
        strips, rest = divmod(known[1] - known[0], lanes)
        full = emitter.index(known[0] + strips * lanes)
    else:
        strips, rest = None, 0 if _is_whole(loop, lanes) else None
        full = upper if rest == 0 else emitter.sub(upper, emitter.rem(emitter.sub(upper, lower), step))
    if rest != 0 and plan.maskable and plan.size > _LARGE and strips != 0:
        return _masked_strips(plan, values, emitter, carried, lower, upper), None
    if strips != 0:
        carried = _whole_strips(plan, values, emitter, carried, lower, full, strips)
    if rest == 0:
        return carried, None
    if not plan.maskable:
        return carried, full
    if rest is None:
        # At most one more, as a loop: that carries values, for which an `scf.if` would need a second branch.
        return _masked_strips(plan, values, emitter, carried, full, upper), None
    mask = emitter.op(vector.CreateMaskOp, emitter.index(rest), type=vector_type(lanes, i1))
    return Body(values, emitter, [full], [carried], mask).run()[0], None


def _is_whole(loop: scf.ForOp, lanes: int) -> bool:
    """Whether the trip count is known to be a multiple of the lanes."""
    share = loop.ub.owner
    if not isinstance(share, ShareOp) or loop.lb.owner is not share:
        return False
    extent = constant_value(share.extent)
    return extent is not None and extent % lanes == 0 and share.chunk.value.data % lanes == 0


def _whole_strips(
    plan: VectorPlan,
    values: Values,
    emitter: Emitter,
    carried: Sequence[SSAValue],
    lower: SSAValue,
    upper: SSAValue,
    strips: int | None,
) -> list[SSAValue]:
    """Strips without masks: several side by side where that helps, then one by one."""
    lanes = values.lanes
    if not _goes_side_by_side(plan, strips):
        return _loop(values, emitter, [carried], lower, upper)[0]
    wide = emitter.index(lanes * _WAYS)
    span = emitter.sub(upper, lower)
    middle = emitter.sub(upper, emitter.rem(span, wide))
    neutral = [
        values.broadcast(emitter.constants.scalar(element_of(value.type), reduction.neutral))
        for value, reduction in zip(carried, plan.reductions, strict=True)
    ]
    parts = _loop(values, emitter, [carried, *([neutral] * (_WAYS - 1))], lower, middle)
    while len(parts) > 1:
        parts = [_combine_all(emitter, plan, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    if strips is not None and strips % _WAYS == 0:
        return parts[0]
    return _loop(values, emitter, [parts[0]], middle, upper)[0]


def _goes_side_by_side(plan: VectorPlan, strips: int | None) -> bool:
    if plan.reductions:
        return strips is not None and strips >= 2 * _WAYS and plan.size <= _SHORT_REDUCTION
    return plan.nested and plan.size <= _SHORT_NEST and (strips is None or strips >= _WAYS)


def _loop(
    values: Values, emitter: Emitter, carried: Sequence[Sequence[SSAValue]], lower: SSAValue, upper: SSAValue
) -> list[list[SSAValue]]:
    """A loop over strips, as many side by side as there are groups of carried values."""
    ways, width = len(carried), len(carried[0])
    stride = values.lanes * ways
    start, stop = constant_value(lower), constant_value(upper)
    if start is not None and stop is not None and stop - start == stride:
        ivs = [emitter.index(start + way * values.lanes) for way in range(ways)]
        return Body(values, emitter, ivs, carried, None).run()
    loop = emitter.loop(lower, upper, emitter.index(stride), [value for group in carried for value in group])
    iv, *arguments = loop.body.block.args
    iv.name_hint = values.plan.innermost.body.block.args[0].name_hint
    inside = emitter.inside(loop.body.block)
    ivs = [inside.add(iv, inside.index(way * values.lanes)) for way in range(ways)]
    groups = [arguments[way * width : (way + 1) * width] for way in range(ways)]
    yielded = Body(values, inside, ivs, groups, None).run()
    inside.yield_([value for group in yielded for value in group])
    return [list(loop.results[way * width : (way + 1) * width]) for way in range(ways)]


def _masked_strips(
    plan: VectorPlan, values: Values, emitter: Emitter, carried: Sequence[SSAValue], lower: SSAValue, upper: SSAValue
) -> list[SSAValue]:
    """A loop over strips, each under a mask."""
    loop = emitter.loop(lower, upper, emitter.index(values.lanes), carried)
    iv, *arguments = loop.body.block.args
    iv.name_hint = plan.innermost.body.block.args[0].name_hint
    inside = emitter.inside(loop.body.block)
    mask = inside.op(vector.CreateMaskOp, inside.sub(upper, iv), type=vector_type(values.lanes, i1))
    inside.yield_(Body(values, inside, [iv], [arguments], mask).run()[0])
    return list(loop.results)


def _scalar_rest(plan: VectorPlan, emitter: Emitter, carried: Sequence[SSAValue], lower: SSAValue) -> list[SSAValue]:
    """The last iterations as they were, one by one."""
    rest = plan.innermost.clone()
    rest.operands = [lower, rest.ub, rest.step, *carried]
    rest.attributes = {}
    emitter.insert(rest)
    return list(rest.results)


def _reduction(plan: VectorPlan, emitter: Emitter, lanes: int) -> list[SSAValue]:
    """Vectors of partial results through all the loops of the chain, then one `vector.reduction` for each."""
    values = Values(plan, emitter, lanes)
    loop = plan.loop
    carried = [
        values.broadcast(emitter.constants.scalar(initial.type, reduction.neutral))
        for initial, reduction in zip(loop.iter_args, plan.reductions, strict=True)
    ]
    partial, rest = _chain(plan, plan.loop, values, emitter, carried)
    values.close()
    results: list[SSAValue] = []
    for initial, reduction, part in zip(loop.iter_args, plan.reductions, partial, strict=True):
        kind = vector.CombiningKindAttr(vector.CombiningKindFlag(reduction.kind))
        total = emitter.op(vector.ReductionOp, part, type=initial.type, kind=kind)
        results.append(total if _is_neutral(initial, reduction) else _combine(emitter, reduction, initial, total))
    return results if rest is None else _scalar_rest(plan, emitter, results, rest)


def _chain(
    plan: VectorPlan, loop: scf.ForOp, values: Values, emitter: Emitter, carried: Sequence[SSAValue]
) -> tuple[Sequence[SSAValue], SSAValue | None]:
    """Loops around the innermost one stay, carrying vectors; their other operations move along."""
    if loop is plan.innermost:
        own = Values(plan, emitter, values.lanes)
        result = _strips(plan, own, emitter, carried)
        own.close()
        return result
    new = emitter.loop(loop.lb, loop.ub, loop.step, carried)
    iv, *arguments = new.body.block.args
    iv.name_hint = loop.body.block.args[0].name_hint
    loop.body.block.args[0].replace_all_uses_with(iv)
    inside = emitter.inside(new.body.block)
    results: Sequence[SSAValue] = []
    for op in list(loop.body.block.ops):
        if isinstance(op, scf.ForOp):
            results, _ = _chain(plan, op, values, inside, arguments)
        elif not isinstance(op, scf.YieldOp):
            op.detach()
            inside.insert(op)
    inside.yield_(results)
    return list(new.results), None


def _combine_all(emitter: Emitter, plan: VectorPlan, a: list[SSAValue], b: list[SSAValue]) -> list[SSAValue]:
    return [_combine(emitter, r, x, y) for r, x, y in zip(plan.reductions, a, b, strict=True)]


def _combine(emitter: Emitter, reduction: Reduction, a: SSAValue, b: SSAValue) -> SSAValue:
    """Two partial results as one."""
    combiner = arith.AddfOp if reduction.combiner is math.FmaOp else reduction.combiner
    return emitter.op(combiner, a, b)  # pyright: ignore[reportArgumentType]


def _is_neutral(value: SSAValue, reduction: Reduction) -> bool:
    op = value.owner
    if not isinstance(op, arith.ConstantOp):
        return False
    return isinstance(op.value, IntegerAttr | FloatAttr) and op.value.value.data == reduction.neutral
