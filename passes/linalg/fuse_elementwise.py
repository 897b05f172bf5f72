"""Fuses elementwise linalg ops with the ops that read their results.

    %u = linalg.generic ins(%dw, %lr) outs(%e) { mulf }               %w2 = linalg.generic ins(%w, %dw, %lr) outs(%w)
    %w2 = linalg.generic ins(%w, %u) outs(%w) { subf }        ->        { mulf; subf }

A producer whose value others need too stays an output of the fused op, where both run over the same indices:

    %e = generic ins(%x) { exp };  %s = generic ins(%e) { addf }   ->   %e, %s = generic ins(%x) { exp; addf }

Where a loop's extent was told by the operand that goes, an operand that is never read tells it (lowering/extents.py).

What accumulates (a matrix product) is never pulled into its consumer, nor anything into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, DenseArrayBase, ModuleOp, TensorType, i32
from xdsl.dialects.func import FuncOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import Block, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.passes import ModulePass

from ...dialects.linalg_rules import loop_extents, told_extents
from ...dialects.locations import fuse
from ...dialects.marks import KERNEL_ATTRIBUTE
from ...dialects.types import is_tensor
from ..interface import check_static
from ..pass_base import functions
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from .lowering.extents import extent_operand
from .lowering.views import emit_expression

Generic = linalg.GenericOp


def maps_of(op: Generic) -> list[AffineMap]:
    """The indexing maps of an op, inputs before outputs."""
    return [attribute.data for attribute in op.indexing_maps]


def is_contraction(op: Generic) -> bool:
    """Whether a reduction multiplies what it reads from two places, as a matrix product does."""
    if not any(t.data is IteratorType.REDUCTION for t in op.iterator_types) or len(op.inputs) < 2:
        return False
    names = {inner.name for inner in op.body.block.ops}
    partial = [m for m in maps_of(op)[: len(op.inputs)] if len(m.used_dims()) < len(op.iterator_types)]
    return bool(names & {"arith.mulf", "arith.muli"}) and len(partial) >= 2


class Facts:
    """What is asked of a generic again and again. An op keeps its maps; its operands may be replaced by others."""

    def __init__(self, op: Generic) -> None:
        self.count = len(op.inputs)
        self.maps = maps_of(op)
        self.extents = loop_extents(op)
        self.elementwise = self._is_elementwise(op)

    def _is_elementwise(self, op: Generic) -> bool:
        """Whether every index computes values of its own, from inputs alone, at one place of each output."""
        identity = AffineMap.identity(len(self.extents))
        return (
            all(t.data is IteratorType.PARALLEL for t in op.iterator_types)
            and all(m == identity for m in self.maps[self.count :])
            and all(list(_type(v).get_shape()) == self.extents for v in op.outputs)
            and all(argument.first_use is None for argument in op.body.block.args[self.count :])
        )


class Fuser:
    """The generics of one kernel, being fused front to back."""

    def __init__(self, kernel: FuncOp) -> None:
        self.block = kernel.body.block
        self.constants = Constants(kernel)
        self.position = {op: i for i, op in enumerate(self.block.ops)}
        self.known: dict[Generic, Facts] = {}
        for op in list(self.block.ops):
            if type(op) is Generic and not is_contraction(op):
                self.fuse_into(op)
        for op in reversed(list(self.block.ops)):
            if isinstance(op, tensor.EmptyOp) and op.results[0].first_use is None:
                op.detach()
                op.erase()

    def facts(self, op: Generic) -> Facts:
        """What is known of an op."""
        found = self.known.get(op)
        if found is None:
            found = self.known[op] = Facts(op)
        return found

    def inputs(self, op: Generic) -> Sequence[SSAValue]:
        """The op's inputs."""
        return op.operands[: self.facts(op).count]

    def outputs(self, op: Generic) -> Sequence[SSAValue]:
        """The op's outputs."""
        return op.operands[self.facts(op).count :]

    def fuse_into(self, consumer: Generic) -> None:
        """Pulls producers into a consumer until none is left to pull."""
        again = True
        while again:
            again = False
            for index, operand in enumerate(self.inputs(consumer)):
                producer = operand.owner
                if type(producer) is Generic and self.facts(producer).elementwise:
                    fused = self.fused(producer, consumer, index)
                    if fused is not None:
                        consumer, again = fused, True
                        break

    def fused(self, producer: Generic, consumer: Generic, index: int) -> Generic | None:
        """One op for both, in the consumer's place; None where that is not legal."""
        facts = self.facts(consumer)
        read, extents = facts.maps[index], facts.extents
        same_space = read == AffineMap.identity(len(extents)) and self.facts(producer).extents == extents
        outside = [u.operation for r in producer.results for u in r.uses if u.operation is not consumer]
        operands = [k for k, v in enumerate(self.inputs(consumer)) if v.owner is producer]
        if any(facts.maps[k] != read for k in operands):
            return None
        if any(v.owner is producer for v in self.outputs(consumer)):
            return None
        if outside and not same_space:
            return None
        if any(self.position.get(op, -1) < self.position[consumer] for op in outside):
            return None
        if self._body_reads(consumer, producer):
            return None
        if outside and self._overwritten_between(producer, consumer):
            return None
        return self._merge(producer, consumer, read, operands, keep=bool(outside))

    def _body_reads(self, consumer: Generic, producer: Generic) -> bool:
        """Whether the consumer's body gathers from what the producer makes: then it must be complete before."""
        return any(v.owner is producer for op in consumer.body.block.ops for v in op.operands)

    def _overwritten_between(self, producer: Generic, consumer: Generic) -> bool:
        """Whether something reads, between the two, a place that the producer would now write later."""
        outputs = set(self.outputs(producer))
        op = producer.next_op
        while op is not None and op is not consumer:
            if any(v in outputs for v in op.operands):
                return True
            op = op.next_op
        return False

    def _merge(self, producer: Generic, consumer: Generic, read: AffineMap, operands: list[int], keep: bool) -> Generic:
        whole = read == AffineMap.identity(read.num_dims)
        facts, count = self.facts(consumer), self.facts(consumer).count
        inner = self.facts(producer).maps
        read_by_producer = list(zip(self.inputs(producer), inner if whole else [map_.compose(read) for map_ in inner]))
        read_by_consumer = list(zip(self.inputs(consumer), facts.maps))
        inputs = dict.fromkeys(
            [*read_by_producer, *(pair for k, pair in enumerate(read_by_consumer) if k not in operands)]
        )
        before = Emitter(self.constants, self.block, consumer, consumer.location)
        written = list(zip(self.outputs(consumer), facts.maps[count:]))
        told = told_extents([*inputs, *written], read.num_dims)
        for k, (extent, known) in enumerate(zip(facts.extents, told)):
            if extent != known:
                inputs[extent_operand(before, k, extent, read.num_dims)] = None
        kept = [r for r in producer.results if any(u.operation is not consumer for u in r.uses)] if keep else []
        produced = list(zip(self.outputs(producer), inner[self.facts(producer).count :]))
        outputs = [*(produced[r.index] for r in kept), *written]
        sources = [*inputs, *outputs]
        block = Block(arg_types=[_type(value).element_type for value, _ in sources])
        by_read = dict(zip(inputs, block.args))
        accumulators = block.args[len(inputs) :]
        location = fuse((producer.location, consumer.location))
        e = Emitter(self.constants, block, location=producer.location)

        read_by_producer = zip(producer.inputs, maps_of(producer))
        made = _move_body(
            e, producer.body.block, [by_read[v, map_.compose(read)] for v, map_ in read_by_producer], read
        )
        read_by_consumer = [
            made[value.index] if k in operands and isinstance(value, OpResult) else by_read[value, map_]
            for k, (value, map_) in enumerate(zip(consumer.inputs, maps_of(consumer)))
        ]
        yields = _move_body(e, consumer.body.block, [*read_by_consumer, *accumulators[len(kept) :]], None)
        e.location = consumer.location
        e.create(linalg.YieldOp, [*(made[r.index] for r in kept), *yields])
        fused = Generic.create(
            operands=[value for value, _ in sources],
            result_types=[value.type for value, _ in outputs],
            properties={
                "indexing_maps": ArrayAttr([AffineMapAttr(map_) for _, map_ in sources]),
                "iterator_types": consumer.iterator_types,
                "operandSegmentSizes": DenseArrayBase.from_list(i32, [len(inputs), len(outputs)]),
            },
            regions=[Region(block)],
            location=location,
        )
        self.block.insert_op_before(fused, consumer)
        self.position[fused] = self.position[consumer]
        for old_result, new in zip([*kept, *consumer.results], fused.results):
            new.name_hint = old_result.name_hint
            old_result.replace_all_uses_with(new)
        for op in (consumer, producer):
            op.detach()
            op.erase()
        return fused


def _type(value: SSAValue) -> TensorType:
    assert is_tensor(value.type)
    return value.type


def _move_body(e: Emitter, block: Block, arguments: Sequence[SSAValue], read: AffineMap | None) -> list[SSAValue]:
    """Moves a body's ops to the end of `e`'s block, and returns what it yields; `read` maps the new indices to the
    body's own."""
    for old, new in zip(block.args, arguments):
        old.replace_all_uses_with(new)
    for op in list(block.ops):
        if isinstance(op, linalg.YieldOp):
            return list(op.operands)
        op.detach()
        if isinstance(op, linalg.IndexOp) and read is not None:
            e.location = op.location
            op.results[0].replace_all_uses_with(emit_expression(e, read.results[op.dim.value.data]))
            op.erase()
        else:
            e.block.add_op(op)
    raise AssertionError("a body ends in linalg.yield")


@dataclass(frozen=True)
class FuseElementwise(ModulePass):
    """See the module's text."""

    name = "fuse-elementwise"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_static(op)
        for function in functions(op):
            if KERNEL_ATTRIBUTE in function.attributes:
                Fuser(function)
