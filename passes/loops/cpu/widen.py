"""The vector form of a loop body: one strip of lanes, or several side by side, perhaps under a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import arith, math, memref, scf, vector
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerType,
    UnitAttr,
    VectorType,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.irdl import IRDLOperation

from ....dialects import vectorx
from ....dialects.spmd import BarrierOp
from ....dialects.types import is_memref, is_vector
from ...utils.constants import constant_value, vector_type
from ...utils.emitter import Emitter
from .strided import flat_index, flatten, load_strided, store_strided
from .vector_plan import VectorPlan

__all__ = ["Body", "Values"]

_VECTOR_FORMS: dict[type[Operation], type[IRDLOperation]] = {
    arith.BitcastOp: vector.BitcastOp,
    math.FmaOp: vector.FMAOp,
    arith.SelectOp: vectorx.SelectOp,
    arith.CmpiOp: vectorx.CmpiOp,
    arith.CmpfOp: vectorx.CmpfOp,
    **{getattr(arith, op.__name__): op for op in vectorx.CONVERSIONS},  # pyright: ignore
}
"""Operations whose vector form is another one."""


class Values:
    """Vector forms of what is made outside of the loop: shared by all copies of the body, in front of them all."""

    def __init__(self, plan: VectorPlan, emitter: Emitter, lanes: int) -> None:
        self.plan = plan
        self.marker = emitter.create(BarrierOp, [])
        self.emitter = emitter.inside(emitter.block, self.marker)
        self.lanes = lanes
        self.broadcasts: dict[SSAValue, SSAValue] = {}
        self.flattened: dict[tuple[SSAValue, int], SSAValue] = {}

    def close(self) -> None:
        """To be called when all is emitted."""
        self.marker.detach()
        self.marker.erase()

    def broadcast(self, value: SSAValue) -> SSAValue:
        """A value from outside in all lanes; indices become i64."""
        found = self.broadcasts.get(value)
        if found is None:
            data = _as_data(value, self.emitter)
            found = self.broadcasts[value] = self.emitter.broadcast(data, self.lanes)
            if value.name_hint and found.name_hint is None:
                found.name_hint = value.name_hint
        return found

    def flat(self, buffer: SSAValue, kept: int) -> SSAValue:
        """A buffer whose dimensions from `kept` on are one."""
        if (buffer, kept) not in self.flattened:
            self.flattened[buffer, kept] = flatten(buffer, kept, self.emitter)
        return self.flattened[buffer, kept]


class Body:
    """Vector copies of the innermost loop's body, one for each given counter, in lock step."""

    def __init__(
        self,
        values: Values,
        emitter: Emitter,
        ivs: Sequence[SSAValue],
        carried: Sequence[Sequence[SSAValue]],
        mask: SSAValue | None,
    ) -> None:
        self.plan = values.plan
        self.emitter = emitter
        self.mask = mask
        self.carried = carried
        self.copies = [_Copy(values, iv, group, mask) for iv, group in zip(ivs, carried, strict=True)]

    def run(self) -> list[list[SSAValue]]:
        """Emits the copies; returns what each yields, as vectors."""
        yielded = self.block(self.plan.innermost.body.block, self.emitter)
        if self.mask is None:
            return yielded
        return [
            [
                self.emitter.op(vectorx.SelectOp, self.mask, new, old, type=new.type)
                for new, old in zip(*pair, strict=True)
            ]
            for pair in zip(yielded, self.carried, strict=True)
        ]

    def block(self, block: Block, emitter: Emitter) -> list[list[SSAValue]]:
        for op in block.ops:
            emitter.location = op.location
            match op:
                case scf.YieldOp():
                    return [[copy.vector(value, emitter) for value in op.operands] for copy in self.copies]
                case scf.ForOp():
                    self.loop(op, emitter)
                case scf.IfOp():
                    new = emitter.if_(self.copies[0].scalar(op.cond))
                    inside = emitter.inside(new.true_region.block)
                    self.block(op.true_region.block, inside)
                    inside.yield_()
                case _ if op.results and not self.changes(op.results[0]):
                    self.uniform(op, emitter)
                case _:
                    for copy in self.copies:
                        copy.op(op, emitter)
        return []

    def changes(self, value: SSAValue) -> bool:
        return value in self.plan.varying or value in self.plan.linear

    def uniform(self, op: Operation, emitter: Emitter) -> None:
        """What is the same in all lanes of all copies stays scalar."""
        new = op.clone({value: self.copies[0].scalar(value) for value in op.operands})
        emitter.insert(new)
        for copy in self.copies:
            copy.scalars.update(zip(op.results, new.results, strict=True))

    def loop(self, op: scf.ForOp, emitter: Emitter) -> None:
        """A loop inside of the vectorized one: the same trips, carrying vectors."""
        width = len(op.iter_args)
        carried = [copy.vector(value, emitter) for copy in self.copies for value in op.iter_args]
        kept: dict[str, Attribute] = {"unroll": UnitAttr()} if "unroll" in op.attributes else {}
        first = self.copies[0]
        new = emitter.loop(first.scalar(op.lb), first.scalar(op.ub), first.scalar(op.step), carried, kept)
        old_iv, *old_arguments = op.body.block.args
        iv, *arguments = new.body.block.args
        iv.name_hint = old_iv.name_hint
        for k, copy in enumerate(self.copies):
            copy.scalars[old_iv] = iv
            copy.take(old_arguments, arguments[k * width : (k + 1) * width])
        inside = emitter.inside(new.body.block)
        inside.yield_([value for group in self.block(op.body.block, inside) for value in group])
        for k, copy in enumerate(self.copies):
            copy.take(op.results, new.results[k * width : (k + 1) * width])


class _Copy:
    """One strip: what each value of the scalar body is in it."""

    def __init__(self, values: Values, iv: SSAValue, carried: Sequence[SSAValue], mask: SSAValue | None) -> None:
        self.values = values
        self.plan = values.plan
        self.lanes = values.lanes
        self.mask = mask
        block = self.plan.innermost.body.block
        self.scalars: dict[SSAValue, SSAValue] = {block.args[0]: iv}
        """Copies of uniform values, and of linear ones the value of lane 0."""
        self.vectors: dict[SSAValue, SSAValue] = dict(zip(block.args[1:], carried, strict=True))

    def take(self, old: Sequence[SSAValue], new: Sequence[SSAValue]) -> None:
        """Lets vectors stand for scalar values, under their names."""
        for scalar, wide in zip(old, new, strict=True):
            wide.name_hint = scalar.name_hint
            self.vectors[scalar] = wide

    def op(self, op: Operation, emitter: Emitter) -> None:
        """Emits the form of an operation that differs from lane to lane or from strip to strip."""
        match op:
            case memref.LoadOp() if op in self.plan.contiguous:
                self.take(op.results, [self.load(op, emitter)])
            case memref.LoadOp() if op in self.plan.strided:
                place, stride = self.strided(op, emitter)
                self.take(op.results, [load_strided(*place, stride, self.lanes, self.count, emitter)])
            case memref.LoadOp():
                self.take(op.results, [self.gather(op, emitter)])
            case memref.StoreOp() if op in self.plan.contiguous:
                self.store(op, emitter)
            case memref.StoreOp() if op in self.plan.strided:
                place, stride = self.strided(op, emitter)
                store_strided(self.vector(op.value, emitter), *place, stride, self.lanes, self.count, emitter)
            case memref.StoreOp():
                self.scatter(op, emitter)
            case _ if op.results[0] in self.plan.varying:
                self.take(op.results, [self.compute(op, emitter)])
            case _:
                new = op.clone({value: self.scalar(value) for value in op.operands})
                emitter.insert(new)
                self.scalars.update(zip(op.results, new.results, strict=True))

    def scalar(self, value: SSAValue) -> SSAValue:
        """The copy of a uniform value, or of a linear one in lane 0."""
        return self.scalars.get(value, value)

    def vector(self, value: SSAValue, emitter: Emitter) -> SSAValue:
        """All lanes of a value; indices become i64."""
        found = self.vectors.get(value)
        if found is not None:
            return found
        growth = self.plan.linear.get(value)
        if growth is not None:
            return self.iota(self.scalar(value), growth, emitter)
        if value not in self.scalars:
            return self.values.broadcast(value)
        copy = self.scalars[value]
        owner = copy.owner
        # Right behind the value, so that all later uses see it, whichever block they stand in.
        place = emitter
        if isinstance(owner, Operation):
            assert owner.parent is not None
            place = emitter.inside(owner.parent, owner.next_op)
        found = self.vectors[value] = place.broadcast(_as_data(copy, place), self.lanes)
        return found

    def iota(self, base: SSAValue, growth: int, emitter: Emitter) -> SSAValue:
        """base, base + growth, base + 2 growth, ..."""
        type_ = vector_type(self.lanes, i64)
        steps = DenseIntOrFPElementsAttr.from_list(type_, [growth * k for k in range(self.lanes)])  # pyright: ignore
        first = emitter.broadcast(_as_data(base, emitter), self.lanes)
        return emitter.op(arith.AddiOp, first, emitter.constants.get(steps))

    def compute(self, op: Operation, emitter: Emitter) -> SSAValue:
        """The same operation on vectors."""
        operands = [self.vector(value, emitter) for value in op.operands]
        element = op.results[0].type
        type_ = vector_type(self.lanes, i64 if isinstance(element, IndexType) else element)
        match op:
            case arith.CmpiOp() | arith.CmpfOp():
                return emitter.op(_VECTOR_FORMS[type(op)], *operands, type=type_, predicate=op.predicate)
            case arith.IndexCastOp():
                return _resize(operands[0], type_, emitter)
            case _ if type(op) in _VECTOR_FORMS:
                return emitter.op(_VECTOR_FORMS[type(op)], *operands, type=type_)
            case _:
                return emitter.op(type(op), *operands, type=type_, **op.properties)  # pyright: ignore[reportArgumentType]

    def load(self, op: memref.LoadOp, emitter: Emitter) -> SSAValue:
        element = op.res.type
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

    @property
    def count(self) -> SSAValue | None:
        """How many lanes count, if not all."""
        return None if self.mask is None else cast(Operation, self.mask.owner).operands[0]

    def strided(
        self, op: memref.LoadOp | memref.StoreOp, emitter: Emitter
    ) -> tuple[tuple[SSAValue, list[SSAValue]], int]:
        """Buffer and indices of lane 0, such that further lanes lie along the last dimension; and the stride."""
        buffer, indices = self.scalar(op.memref), [self.scalar(index) for index in op.indices]
        kept = next(d for d, index in enumerate(op.indices) if index in self.plan.linear)
        if kept < len(indices) - 1:
            assert is_memref(buffer.type)
            inner = flat_index(indices[kept:], buffer.type.get_shape()[kept:], emitter)
            buffer, indices = self.values.flat(buffer, kept), [*indices[:kept], inner]
        return (buffer, indices), self.plan.strided[op]

    def lane_indices(self, op: memref.LoadOp | memref.StoreOp, lane: int, emitter: Emitter) -> list[SSAValue]:
        """Where one lane of an access that is not contiguous goes."""
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
        assert is_memref(op.memref.type)
        result = self.values.broadcast(emitter.constants.scalar(op.res.type, 0))
        for lane in range(self.lanes):
            one = emitter.load(self.scalar(op.memref), self.lane_indices(op, lane, emitter))
            position = DenseArrayBase.from_list(i64, [lane])
            result = emitter.op(vector.InsertOp, one, result, type=result.type, static_position=position)
        return result

    def scatter(self, op: memref.StoreOp, emitter: Emitter) -> None:
        value = self.vector(op.value, emitter)
        for lane in range(self.lanes):
            one = _extract(value, lane, op.value.type, emitter)
            emitter.store(one, self.scalar(op.memref), self.lane_indices(op, lane, emitter))


def _as_data(value: SSAValue, emitter: Emitter) -> SSAValue:
    """A value as vectors can hold it."""
    if not isinstance(value.type, IndexType):
        return value
    known = constant_value(value)
    if known is not None:
        return emitter.constants.scalar(i64, known)
    return emitter.op(arith.IndexCastOp, value, type=i64)


def _extract(value: SSAValue, lane: int, type_: Attribute, emitter: Emitter) -> SSAValue:
    position = DenseArrayBase.from_list(i64, [lane])
    return emitter.op(vector.ExtractOp, value, type=type_, static_position=position)


def _resize(value: SSAValue, type_: VectorType, emitter: Emitter) -> SSAValue:
    """Between integers of any width, with sign."""
    assert is_vector(value.type)
    have, want = value.type.element_type, type_.element_type
    assert isinstance(have, IntegerType) and isinstance(want, IntegerType)
    if have == want:
        return value
    op = vectorx.ExtSIOp if have.bitwidth < want.bitwidth else vectorx.TruncIOp
    return emitter.op(op, value, type=type_)
