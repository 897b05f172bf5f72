"""Cuts long reductions to few results into chunks that threads can take.

    %s = linalg.generic {(i) -> (i), (i) -> ()} ins(%x : tensor<1000000xf32>) outs(%zero : tensor<f32>) { addf }
->
    %n = linalg.fill ins(%c0) outs(%empty : tensor<64xf32>)
    %p = linalg.generic {(c, i) -> (15625 c + i), (c, i) -> (i), (c, i) -> (c)} ["parallel", "reduction"]
           ins(%x, %extent : tensor<1000000xf32>, tensor<15625xf32>) outs(%n : tensor<64xf32>) { addf }
    %s = linalg.generic {(c) -> (c), (c) -> ()} ["reduction"]
           ins(%p : tensor<64xf32>) outs(%zero : tensor<f32>) { addf }

So is a selection, as argmax is: its parts begin with what the whole begins with, and come together in the order of the
chunks. How many there are follows from the shape alone, so that the result has the same bits for any number of threads.
What is left over when the chunks do not divide the loop goes onto the result in a third generic. `%extent` is never
read: it says how far `i` runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, builtin, tensor
from xdsl.dialects.builtin import AffineMapAttr, TensorType
from xdsl.dialects.linalg.attrs import IteratorType, IteratorTypeAttr
from xdsl.dialects.linalg.ops import FillOp, GenericOp, IndexOp, YieldOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.passes import ModulePass

from ...dialects.linalg_rules import loop_extents
from ...dialects.types import is_tensor, tensor_of
from ..options import option
from ..pass_base import kernels
from ..utils.combiners import COMBINERS, neutral_element
from ..utils.constants import Constants, scalar_attribute
from ..utils.emitter import Emitter
from ..utils.selections import selections_of
from .lowering.views import emit_expression

__all__ = ["SplitReductions"]

_PARALLEL = IteratorTypeAttr(IteratorType.PARALLEL)
_REDUCTION = IteratorTypeAttr(IteratorType.REDUCTION)


@dataclass(frozen=True)
class SplitReductions(ModulePass):
    """Splits the longest loop of reductions with at least `min_work` elements in all."""

    name = "split-reductions"
    min_work: int = option(65536, 0)
    chunks: int = option(64, 2, 65536)
    chunk: int = option(8192, 1)
    """Elements that are worth a chunk of their own."""
    many_results: int = option(1024, 1)
    """With so many results, threads share those."""

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        for kernel in kernels(op):
            for inner in list(kernel.body.block.ops):
                if isinstance(inner, GenericOp):
                    self._consider(inner)

    def _consider(self, op: GenericOp) -> None:
        if not all(is_tensor(value.type) for value in op.outputs):
            return
        extents = _extents(op)
        reductions = [d for d, kind in enumerate(op.iterator_types.data) if kind.data == IteratorType.REDUCTION]
        if extents is None or not reductions:
            return
        total = prod(extents)
        results = prod(n for d, n in enumerate(extents) if d not in reductions)
        if total < self.min_work or results >= self.many_results or _is_contraction(op, reductions):
            return
        combined = _combined(op)
        dim = max(reductions, key=lambda d: extents[d])
        chunks = _chunk_count(extents[dim], min(self.chunks, total // self.chunk))
        if combined is not None and chunks > 1:
            _ReductionSplit(op, dim, extents[dim], chunks, combined).run()


def _extents(op: GenericOp) -> list[int] | None:
    extents = loop_extents(op)
    return None if min(extents, default=0) < 0 else extents


def _is_contraction(op: GenericOp, reductions: list[int]) -> bool:
    """Whether inputs span different dimensions: sums of such products have an engine of their own."""
    spans = [
        frozenset(map_.data.used_dims())
        for map_, value in zip(op.indexing_maps.data, op.inputs)
        if is_tensor(value.type) and map_.data.used_dims() & set(reductions)
    ]
    return len(set(spans)) > 1


@dataclass(frozen=True)
class _Combined:
    """How parts of a reduction come together."""

    groups: list[tuple[list[Operation], dict[SSAValue, int]]]
    """Ops of its body; and values of it that stand for what a part has found, of which output."""
    starts: dict[int, SSAValue | int | float]
    """What a part of each output starts from."""


def _combined(op: GenericOp) -> _Combined | None:
    """None where an output is updated in some way whose order is not free."""
    block = op.body.block
    end = block.last_op
    assert end is not None
    carried = block.args[len(op.inputs) :]
    found = _Combined([], {})
    for k, (argument, value) in enumerate(zip(carried, end.operands, strict=True)):
        owner = value.owner
        if not isinstance(owner, Operation) or type(owner) not in COMBINERS or len(owner.operands) != 2:
            continue
        neutral = neutral_element(type(owner), argument.type)
        if neutral is not None and argument.get_user_of_unique_use() is owner:
            found.starts[k] = neutral
            found.groups.append(([owner], {next(v for v in owner.operands if v is not argument): k}))
    for selection in selections_of(block, carried, end.operands):
        ops = list(selection.comparison)
        for k in selection.positions:
            fill, select = op.outputs[k].owner, end.operands[k].owner
            if isinstance(fill, FillOp) and isinstance(select, Operation):
                found.starts[k] = fill.inputs[0]
                ops.append(select)
        found.groups.append((ops, dict(zip(selection.offered, selection.positions, strict=True))))
    return found if len(found.starts) == len(carried) else None


def _chunk_count(extent: int, wanted: int) -> int:
    """As many chunks as wanted, or up to half as many more where those divide the loop."""
    if wanted < 2 or extent < 2 * wanted:
        return min(wanted, extent)
    return next((n for n in range(wanted, wanted * 3 // 2) if extent % n == 0), wanted)


class _ReductionSplit:
    def __init__(self, op: GenericOp, dim: int, extent: int, chunks: int, combined: _Combined) -> None:
        self.op = op
        self.dim = dim
        self.chunks = chunks
        self.size = extent // chunks
        self.rest = extent - self.size * chunks
        self.combined = combined
        self.maps = [map_.data for map_ in op.indexing_maps.data]
        self.dims = self.maps[0].num_dims

    def insert(self, op: Operation) -> Operation:
        op.location = self.op.location
        assert self.op.parent is not None
        self.op.parent.insert_op_before(op, self.op)
        return op

    def empty(self, shape: list[int], element: Attribute) -> SSAValue:
        type_ = TensorType(element, shape)
        made = tensor.EmptyOp.create(result_types=[type_], properties={}, attributes={})
        return self.insert(made).results[0]

    def run(self) -> None:
        partial = self.partial()
        results = self.combine(partial)
        if self.rest:
            start = self.size * self.chunks
            results = self.part(results, self.rest, start)
        for old, new in zip(self.op.results, results, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        self.op.detach()
        self.op.erase()

    def partial(self) -> list[SSAValue]:
        """The generic with one more parallel loop, over chunks, into one more dimension."""
        outputs: list[SSAValue] = []
        for k, value in enumerate(self.op.outputs):
            start = self.combined.starts[k]
            assert is_tensor(value.type)
            element = value.type.element_type
            if not isinstance(start, SSAValue):
                attribute = scalar_attribute(element, start)
                constant = arith.ConstantOp.create(properties={"value": attribute}, result_types=[element])
                start = self.insert(constant).results[0]
            empty = self.empty([self.chunks, *value.type.get_shape()], element)
            outputs.append(self.insert(FillOp([start], [empty], [empty.type])).results[0])
        return self.part(outputs, self.size, None)

    def part(self, outputs: list[SSAValue], size: int, start: int | None) -> list[SSAValue]:
        """The generic over `size` rounds of the split loop: of each chunk, or of those from `start` on."""
        op = self.op
        chunk = AffineExpr.dimension(self.dims)
        inner = AffineExpr.dimension(self.dim)
        expression = chunk * self.size + inner if start is None else inner + start
        replaced = [expression if d == self.dim else AffineExpr.dimension(d) for d in range(self.dims)]
        dims = self.dims + (start is None)
        maps = [
            AffineMap(dims, 0, tuple(e.replace_dims_and_symbols(replaced, []) for e in m.results)) for m in self.maps
        ]
        count = len(op.inputs)
        if start is None:
            maps[count:] = [AffineMap(dims, 0, (chunk, *m.results)) for m in maps[count:]]
        extent = self.empty([size], builtin.f32)
        maps.insert(count, AffineMap(dims, 0, (inner,)))
        body = op.body.clone()
        unused = body.block.insert_arg(builtin.f32, count)
        unused.name_hint = None
        self.renumber(body.block, expression)
        kinds = [*op.iterator_types.data, *([_PARALLEL] if start is None else [])]
        made = GenericOp(
            [*op.inputs, extent],
            outputs,
            body,
            [AffineMapAttr(m) for m in maps],
            kinds,
            [value.type for value in outputs],
        )
        return list(self.insert(made).results)

    def renumber(self, block: Block, expression: AffineExpr) -> None:
        """Lets the body count the rounds of the loop as before it was split."""
        for index in [o for o in block.ops if isinstance(o, IndexOp) and o.dim.value.data == self.dim]:
            e = Emitter(Constants(block), block, index, index.location)
            value = emit_expression(e, expression)
            index.results[0].replace_all_uses_with(value)
            index.detach()
            index.erase()

    def combine(self, partial: list[SSAValue]) -> list[SSAValue]:
        """The chunks' results onto what the reduction starts from."""
        count = len(self.op.inputs)
        kept = sorted({d for m in self.maps[count:] for d in m.used_dims()})
        dims = len(kept) + 1
        position = {d: k + 1 for k, d in enumerate(kept)}
        replaced = [AffineExpr.dimension(position.get(d, 0)) for d in range(self.dims)]
        outs = [
            AffineMap(dims, 0, tuple(e.replace_dims_and_symbols(replaced, []) for e in m.results))
            for m in self.maps[count:]
        ]
        ins = [AffineMap(dims, 0, (AffineExpr.dimension(0), *m.results)) for m in outs]
        elements = [tensor_of(value).element_type for value in self.op.outputs]
        block = Block(arg_types=[*elements, *elements])
        body = self.op.body.block
        end = body.last_op
        assert end is not None
        totals = {body.args[count + k]: block.args[len(elements) + k] for k in range(len(elements))}
        values: dict[SSAValue, SSAValue] = {}
        for ops, offered in self.combined.groups:
            known: dict[SSAValue, SSAValue] = {**totals, **{value: block.args[k] for value, k in offered.items()}}
            for op in ops:
                new = op.clone()
                new.operands = [known.get(value, value) for value in op.operands]
                block.add_op(new)
                known.update(zip(op.results, new.results, strict=True))
            values |= known
        yielded = [values[value] for value in end.operands]
        block.add_op(YieldOp(*yielded))
        made = GenericOp(
            partial,
            list(self.op.outputs),
            Region(block),
            [AffineMapAttr(m) for m in (*ins, *outs)],
            [_REDUCTION, *([_PARALLEL] * len(kept))],
            [value.type for value in self.op.outputs],
        )
        return list(self.insert(made).results)
