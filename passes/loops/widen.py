"""Emits the vector form of a planned loop: main part, end, and for reductions what combines the lanes."""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, math, memref, scf, vector
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    UnitAttr,
    i1,
    i64,
)
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from ...dialects import vectorx
from ...dialects.spmd import BarrierOp
from .build import Emitter, constant_value, static_range, vector_type
from .vector_plan import Plan, Reduction

_LARGE = 120
"""A body with more operations than this is emitted once, under a mask, rather than twice."""
_ACCUMULATORS = 4
GRANULE = "granule"
"""On an `scf.for`: its upper bound is a multiple of this, or `extent`."""
EXTENT = "extent"


def vectorize_loop(plan: Plan, emitter: Emitter, lanes: int) -> None:
    """Replaces the planned loop by vector operations in front of the emitter."""
    loop = plan.loop
    if plan.reductions:
        results = _emit_reduction(plan, emitter, lanes)
        for old, new in zip(loop.results, results, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
    else:
        values = _Values(plan, emitter, lanes)
        _emit_strips(plan, values, emitter, [])
        values.close()
    loop.detach()
    loop.erase()


class _Values:
    """Vector forms of what is made outside of the loop: shared by all copies of the body, in front of them all."""

    def __init__(self, plan: Plan, emitter: Emitter, lanes: int) -> None:
        self.plan = plan
        self.marker = emitter.create(BarrierOp, [])
        self.emitter = emitter.inside(emitter.block, self.marker)
        self.lanes = lanes
        self.broadcasts: dict[SSAValue, SSAValue] = {}

    def close(self) -> None:
        """To be called when all is emitted."""
        self.marker.detach()
        self.marker.erase()

    def broadcast(self, value: SSAValue) -> SSAValue:
        found = self.broadcasts.get(value)
        if found is None:
            found = self.broadcasts[value] = self.emitter.broadcast(value, self.lanes)
            if value.name_hint and found.name_hint is None:
                found.name_hint = value.name_hint
        return found


def _emit_strips(plan: Plan, values: _Values, emitter: Emitter, carried: list[SSAValue]) -> list[SSAValue]:
    """The innermost loop in strips of `lanes`, then its end; returns what it carries, as vectors."""
    loop, lanes = plan.innermost, values.lanes
    step = emitter.index(lanes)
    lower, upper = loop.lb, loop.ub
    known = static_range(loop)
    if known is not None:
        full = emitter.index(known[0] + (known[1] - known[0]) // lanes * lanes)
        rest = (known[1] - known[0]) % lanes
        strips = (known[1] - known[0]) // lanes
    else:
        rest, strips = (0 if _is_whole(loop, lanes) else None), None
        full = upper if rest == 0 else emitter.sub(upper, emitter.rem(emitter.sub(upper, lower), step))

    if rest != 0 and plan.maskable and plan.size > _LARGE and strips != 0:
        return _masked_loop(plan, values, emitter, carried, lower, upper, step)
    if strips != 0:
        carried = _strip_loop(plan, values, emitter, carried, lower, full, strips)
    if rest == 0:
        return carried
    if not plan.maskable:
        return _scalar_rest(plan, emitter, carried, full)
    if rest is not None:
        mask = emitter.op(vector.CreateMaskOp, emitter.index(rest), type=vector_type(lanes, i1))
        return _Copy(values, emitter, full, carried, mask).run(plan.innermost.body.block)
    return _dynamic_rest(plan, values, emitter, carried, full, upper, step)


def _is_whole(loop: scf.ForOp, lanes: int) -> bool:
    """Whether the trip count is known to be a multiple of the lanes."""
    granule, extent = loop.attributes.get(GRANULE), loop.attributes.get(EXTENT)
    return (
        isinstance(granule, IntegerAttr)
        and isinstance(extent, IntegerAttr)
        and granule.value.data % lanes == 0
        and extent.value.data % lanes == 0
    )


def _strip_loop(
    plan: Plan,
    values: _Values,
    emitter: Emitter,
    carried: list[SSAValue],
    lower: SSAValue,
    upper: SSAValue,
    strips: int | None,
) -> list[SSAValue]:
    """Whole strips, without masks; a short reduction body over many strips keeps several accumulators."""
    lanes, body = values.lanes, plan.innermost.body.block
    ways = _ACCUMULATORS
    if strips is None or strips < 2 * ways or not plan.reductions or plan.size > 12 or plan.innermost is not plan.loop:
        return _loop(values, emitter, body, carried, lower, upper, emitter.index(lanes))
    start = constant_value(lower)
    assert start is not None
    middle = emitter.index(start + strips // ways * ways * lanes)
    neutral = [values.broadcast(emitter.constants.scalar(_element(v), r.neutral)) for v, r in _pairs(carried, plan)]
    groups = [carried, *([list(neutral)] * (ways - 1))]
    flat = [value for group in groups for value in group]
    loop = emitter.loop(lower, middle, emitter.index(lanes * ways), flat)
    loop.body.block.args[0].name_hint = body.args[0].name_hint
    inside = emitter.inside(loop.body.block)
    width = len(carried)
    yielded: list[SSAValue] = []
    for way in range(ways):
        iv = inside.add(loop.body.block.args[0], inside.index(way * lanes))
        arguments = list(loop.body.block.args[1 + way * width : 1 + (way + 1) * width])
        yielded += _Copy(values, inside, iv, arguments, None).run(body)
    inside.yield_(yielded)
    parts = [list(loop.results[way * width : (way + 1) * width]) for way in range(ways)]
    while len(parts) > 1:
        parts = [
            [combine(emitter, r, a, b) for (a, r), b in zip(_pairs(x, plan), y, strict=True)]
            for x, y in zip(parts[::2], parts[1::2], strict=True)
        ]
    return _loop(values, emitter, body, parts[0], middle, upper, emitter.index(lanes)) if strips % ways else parts[0]


def _pairs(carried: Sequence[SSAValue], plan: Plan) -> list[tuple[SSAValue, Reduction]]:
    return list(zip(carried, plan.reductions, strict=True))


def _element(value: SSAValue):
    return value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]


def combine(emitter: Emitter, reduction: Reduction, a: SSAValue, b: SSAValue) -> SSAValue:
    """Two partial results as one."""
    combiner = arith.AddfOp if reduction.combiner is math.FmaOp else reduction.combiner
    return emitter.op(combiner, a, b)  # pyright: ignore[reportArgumentType]


def _loop(
    values: _Values,
    emitter: Emitter,
    body: Block,
    carried: list[SSAValue],
    lower: SSAValue,
    upper: SSAValue,
    step: SSAValue,
) -> list[SSAValue]:
    start, stop, stride = (constant_value(value) for value in (lower, upper, step))
    if start is not None and stop is not None and stride is not None and stop - start == stride:
        return _Copy(values, emitter, lower, carried, None).run(body)
    loop = emitter.loop(lower, upper, step, carried)
    loop.body.block.args[0].name_hint = body.args[0].name_hint
    inside = emitter.inside(loop.body.block)
    inside.yield_(_Copy(values, inside, loop.body.block.args[0], list(loop.body.block.args[1:]), None).run(body))
    return list(loop.results)


def _masked_loop(
    plan: Plan,
    values: _Values,
    emitter: Emitter,
    carried: list[SSAValue],
    lower: SSAValue,
    upper: SSAValue,
    step: SSAValue,
) -> list[SSAValue]:
    """One loop over all strips, each under a mask."""
    body = plan.innermost.body.block
    loop = emitter.loop(lower, upper, step, carried)
    iv, *arguments = loop.body.block.args
    iv.name_hint = body.args[0].name_hint
    inside = emitter.inside(loop.body.block)
    mask = inside.op(vector.CreateMaskOp, inside.sub(upper, iv), type=vector_type(values.lanes, i1))
    inside.yield_(_Copy(values, inside, iv, arguments, mask).run(body))
    return list(loop.results)


def _scalar_rest(plan: Plan, emitter: Emitter, carried: list[SSAValue], lower: SSAValue) -> list[SSAValue]:
    """The last iterations as they were, one by one."""
    assert not carried
    rest = plan.innermost.clone()
    rest.operands = [lower, *rest.operands[1:]]
    rest.attributes = {}
    emitter.insert(rest)
    return []


def _dynamic_rest(
    plan: Plan,
    values: _Values,
    emitter: Emitter,
    carried: list[SSAValue],
    lower: SSAValue,
    upper: SSAValue,
    step: SSAValue,
) -> list[SSAValue]:
    """At most one masked strip, as a loop, which carries what an `scf.if` would need a second branch for."""
    return _masked_loop(plan, values, emitter, carried, lower, upper, step)


def _emit_reduction(plan: Plan, emitter: Emitter, lanes: int) -> list[SSAValue]:
    """Vectors of partial results through all the loops of the chain, then one `vector.reduction` for each."""
    values = _Values(plan, emitter, lanes)
    loop = plan.loop
    carried = [
        values.broadcast(emitter.constants.scalar(initial.type, reduction.neutral))
        for initial, reduction in zip(loop.iter_args, plan.reductions, strict=True)
    ]
    results = _chain(plan, plan.loop, values, emitter, carried)
    values.close()
    final: list[SSAValue] = []
    for initial, reduction, partial in zip(loop.iter_args, plan.reductions, results, strict=True):
        kind = vector.CombiningKindAttr(vector.CombiningKindFlag(reduction.kind))
        total = emitter.op(vector.ReductionOp, partial, type=initial.type, kind=kind)
        final.append(total if _is_neutral(initial, reduction) else combine(emitter, reduction, initial, total))
    return final


def _is_neutral(value: SSAValue, reduction: Reduction) -> bool:
    op = value.owner
    return isinstance(op, arith.ConstantOp) and op.value.value.data == reduction.neutral  # pyright: ignore[reportAttributeAccessIssue]


def _chain(
    plan: Plan,
    loop: scf.ForOp,
    values: _Values,
    emitter: Emitter,
    carried: list[SSAValue],
) -> list[SSAValue]:
    """Loops around the innermost one stay, carrying vectors; their other operations move along."""
    if loop is plan.innermost:
        inner_values = _Values(plan, emitter, values.lanes)
        results = _emit_strips(plan, inner_values, emitter, carried)
        inner_values.close()
        return results
    new = emitter.loop(loop.lb, loop.ub, loop.step, carried)
    new.body.block.args[0].name_hint = loop.body.block.args[0].name_hint
    loop.body.block.args[0].replace_all_uses_with(new.body.block.args[0])
    inside = emitter.inside(new.body.block)
    results: list[SSAValue] = []
    for op in list(loop.body.block.ops):
        if isinstance(op, scf.ForOp):
            results = _chain(plan, op, values, inside, list(new.body.block.args[1:]))
        elif not isinstance(op, scf.YieldOp):
            op.detach()
            inside.insert(op)
    inside.yield_(results)
    return list(new.results)


class _Copy:
    """One vector copy of a loop body, at a place and perhaps under a mask."""

    def __init__(
        self, values: _Values, emitter: Emitter, iv: SSAValue, carried: list[SSAValue], mask: SSAValue | None
    ) -> None:
        self.values = values
        self.plan = values.plan
        self.lanes = values.lanes
        self.emitter = emitter
        self.mask = mask
        block = self.plan.innermost.body.block
        self.scalars: dict[SSAValue, SSAValue] = {block.args[0]: iv}
        """Copies of uniform values, and of linear ones the value of lane 0."""
        self.vectors: dict[SSAValue, SSAValue] = dict(zip(block.args[1:], carried, strict=True))
        self.carried = carried

    def run(self, block: Block) -> list[SSAValue]:
        """Emits the body; returns what it yields, as vectors."""
        yielded = self.block(block, self.emitter)
        if self.mask is None:
            return yielded
        return [
            self.emitter.op(vectorx.SelectOp, self.mask, new, old, type=new.type)
            for new, old in zip(yielded, self.carried, strict=True)
        ]

    def block(self, block: Block, emitter: Emitter) -> list[SSAValue]:
        for op in block.ops:
            emitter.location = op.location
            if isinstance(op, scf.YieldOp):
                return [self.vector(value, emitter) for value in op.operands]
            self.op(op, emitter)
        return []

    def op(self, op: Operation, emitter: Emitter) -> None:
        match op:
            case memref.LoadOp() if op in self.plan.contiguous:
                self.vectors[op.res] = self.named(op.res, self.load(op, emitter))
            case memref.LoadOp() if op in self.plan.scattered:
                self.vectors[op.res] = self.named(op.res, self.gather(op, emitter))
            case memref.StoreOp() if op in self.plan.contiguous:
                self.store(op, emitter)
            case memref.StoreOp():
                self.scatter(op, emitter)
            case scf.ForOp():
                self.loop(op, emitter)
            case scf.IfOp():
                new = emitter.if_(self.scalar(op.cond))
                inside = emitter.inside(new.true_region.block)
                self.block(op.true_region.block, inside)
                inside.yield_()
            case _ if op.results[0] in self.plan.varying:
                self.vectors[op.results[0]] = self.named(op.results[0], self.compute(op, emitter))
            case _:
                new = op.clone({value: self.scalar(value) for value in op.operands})
                emitter.insert(new)
                for old, result in zip(op.results, new.results, strict=True):
                    self.scalars[old] = result

    @staticmethod
    def named(old: SSAValue, new: SSAValue) -> SSAValue:
        new.name_hint = old.name_hint
        return new

    def scalar(self, value: SSAValue) -> SSAValue:
        return self.scalars.get(value, value)

    def vector(self, value: SSAValue, emitter: Emitter) -> SSAValue:
        """All lanes of a value; indices become i64."""
        found = self.vectors.get(value)
        if found is not None:
            return found
        growth = self.plan.linear.get(value)
        if growth is not None:
            found = self.iota(self.scalar(value), growth, emitter)
        elif value not in self.scalars:
            return self.values.broadcast(self.as_data(value, self.values.emitter))
        else:
            copy = self.scalars[value]
            owner = copy.owner
            # Right behind the value, so that all later uses see it, whichever block they stand in.
            place = emitter.inside(owner.parent, owner.next_op) if isinstance(owner, Operation) else emitter  # pyright: ignore[reportArgumentType]
            found = place.broadcast(self.as_data(copy, place), self.lanes)
        if growth is None:
            self.vectors[value] = found
        return found

    @staticmethod
    def as_data(value: SSAValue, emitter: Emitter) -> SSAValue:
        if not isinstance(value.type, IndexType):
            return value
        known = constant_value(value)
        if known is not None:
            return emitter.constants.scalar(i64, known)
        return emitter.op(arith.IndexCastOp, value, type=i64)

    def iota(self, base: SSAValue, growth: int, emitter: Emitter) -> SSAValue:
        """base, base + growth, base + 2 growth, ..."""
        type_ = vector_type(self.lanes, i64)
        steps = DenseIntOrFPElementsAttr.from_list(type_, [growth * k for k in range(self.lanes)])
        first = emitter.broadcast(self.as_data(base, emitter), self.lanes)
        return emitter.op(arith.AddiOp, first, emitter.constants.get(steps))

    def compute(self, op: Operation, emitter: Emitter) -> SSAValue:
        """The same operation on vectors."""
        operands = [self.vector(value, emitter) for value in op.operands]
        element = op.results[0].type
        type_ = vector_type(self.lanes, i64 if isinstance(element, IndexType) else element)
        match op:
            case arith.CmpiOp() | arith.CmpfOp():
                return emitter.op(_VECTOR_FORMS[type(op)], *operands, type=type_, predicate=op.predicate)
            case _ if type(op) in _VECTOR_FORMS:
                return emitter.op(_VECTOR_FORMS[type(op)], *operands, type=type_)
            case arith.IndexCastOp():
                return _resize(operands[0], type_, emitter)
            case _:
                return emitter.op(type(op), *operands, type=type_, **op.properties)  # pyright: ignore[reportArgumentType]

    def load(self, op: memref.LoadOp, emitter: Emitter) -> SSAValue:
        assert isinstance(op.memref.type, MemRefType)
        element = op.memref.type.element_type
        type_ = vector_type(self.lanes, element)
        place = [self.scalar(op.memref), *(self.scalar(index) for index in op.indices)]
        if self.mask is None:
            return emitter.create(vector.LoadOp, place, [type_]).results[0]
        other = self.values.broadcast(emitter.constants.scalar(element, 0))
        return emitter.create(vector.MaskedLoadOp, [*place, self.mask, other], [type_]).results[0]

    def store(self, op: memref.StoreOp, emitter: Emitter) -> None:
        value = self.vector(op.value, emitter)
        place = [self.scalar(op.memref), *(self.scalar(index) for index in op.indices)]
        if self.mask is None:
            emitter.create(vector.StoreOp, [value, *place])
        else:
            emitter.create(vector.MaskedStoreOp, [*place, self.mask, value])

    def lane_indices(self, op: memref.LoadOp | memref.StoreOp, lane: int, emitter: Emitter) -> list[SSAValue]:
        found: list[SSAValue] = []
        for index in op.indices:
            if index in self.plan.linear:
                found.append(emitter.add(self.scalar(index), emitter.index(self.plan.linear[index] * lane)))
            elif index in self.plan.varying:
                one = _extract(self.vectors[index], lane, i64, emitter)
                found.append(emitter.op(arith.IndexCastOp, one, type=IndexType()))
            else:
                found.append(self.scalar(index))
        return found

    def gather(self, op: memref.LoadOp, emitter: Emitter) -> SSAValue:
        result = self.values.broadcast(emitter.constants.scalar(op.res.type, 0))
        for lane in range(self.lanes):
            one = emitter.load(self.scalar(op.memref), self.lane_indices(op, lane, emitter))
            result = emitter.op(
                vector.InsertOp, one, result, type=result.type, static_position=DenseArrayBase.from_list(i64, [lane])
            )
        return result

    def scatter(self, op: memref.StoreOp, emitter: Emitter) -> None:
        value = self.vector(op.value, emitter)
        for lane in range(self.lanes):
            one = _extract(value, lane, op.value.type, emitter)
            emitter.store(one, self.scalar(op.memref), self.lane_indices(op, lane, emitter))

    def loop(self, op: scf.ForOp, emitter: Emitter) -> None:
        """A loop inside of the vectorized one: the same trips, carrying vectors."""
        block = op.body.block
        carried = [self.vector(value, emitter) for value in op.iter_args]
        kept = {"unroll": UnitAttr()} if "unroll" in op.attributes else {}
        bounds = [self.scalar(value) for value in (op.lb, op.ub, op.step)]
        types = [value.type for value in carried]
        inner = Block(arg_types=[IndexType(), *types])
        new = emitter.create(scf.ForOp, [*bounds, *carried], types, attributes=kept, regions=[Region(inner)])
        self.scalars[block.args[0]] = inner.args[0]
        self.vectors.update(zip(block.args[1:], inner.args[1:], strict=True))
        for old, argument in zip(block.args, inner.args, strict=True):
            argument.name_hint = old.name_hint
        inside = emitter.inside(inner)
        inside.yield_(self.block(block, inside))
        for old, result in zip(op.results, new.results, strict=True):
            self.vectors[old] = self.named(old, result)


_VECTOR_FORMS: dict[type[Operation], type[IRDLOperation]] = {
    arith.BitcastOp: vector.BitcastOp,
    math.FmaOp: vector.FMAOp,
    arith.SelectOp: vectorx.SelectOp,
    arith.CmpiOp: vectorx.CmpiOp,
    arith.CmpfOp: vectorx.CmpfOp,
    **{getattr(arith, op.__name__): op for op in vectorx.CONVERSIONS},
}
"""Operations whose vector form is another one."""


def _extract(value: SSAValue, lane: int, type_, emitter: Emitter) -> SSAValue:
    position = DenseArrayBase.from_list(i64, [lane])
    return emitter.op(vector.ExtractOp, value, type=type_, static_position=position)


def _resize(value: SSAValue, type_, emitter: Emitter) -> SSAValue:
    """Between integers of any width, with sign."""
    have, want = _element(value), type_.element_type
    assert isinstance(have, IntegerType) and isinstance(want, IntegerType)
    if have == want:
        return value
    op = vectorx.ExtSIOp if have.width.data < want.width.data else vectorx.TruncIOp
    return emitter.op(op, value, type=type_)
