"""Lowers linalg on buffers to loops.

    linalg.fill ins(%zero : f32) outs(%s : memref<64xf32>)
    linalg.generic {(i, j) -> (i, j), (i, j) -> (i), ["parallel", "reduction"]}
        ins(%x : memref<64x10xf32>) outs(%s : memref<64xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %b = arith.addf %acc, %a : f32
        linalg.yield %b : f32
    }
->
    scf.for %i = %c0 to %c64 step %c1 {
      %sum = scf.for %j = %c0 to %c10 step %c1 iter_args(%acc = %zero) -> (f32) {
        %a = memref.load %x[%i, %j] : memref<64x10xf32>
        %b = arith.addf %acc, %a : f32
        scf.yield %b : f32
      } {parallel}
      memref.store %sum, %s[%i] : memref<64xf32>
    } {parallel}

- The order of the loops follows the memory: what most accesses have stride 1 in goes innermost, reductions inside of
  parallel loops, so that they accumulate in registers and store once.
- A fill that only initializes a reduction disappears into it.
- Loads and operations stand in the outermost loop that has all they need.
- `parallel` marks loops with independent iterations; a reduction's is one whose carried values combine in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, builtin, memref
from xdsl.dialects.func import FuncOp
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.dialects.linalg.ops import FillOp, GenericOp, IndexOp, YieldOp
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)
from xdsl.traits import is_side_effect_free

from ...dialects.linalg_rules import loop_extents
from ...dialects.linalgx import CumulateOp, RecordOp, ScatterBase, SortOp
from ...dialects.types import is_memref
from ..interface import check_on_buffers
from ..pass_base import KernelPass, fail
from ..target import Profitability, default_profitability
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from ..utils.loop_info import parallel_attributes
from ..utils.memory import element_bytes
from .lower_record import lower_record
from .lower_rows import lower_cumulate, lower_sort
from .lower_scatter import lower_scatter
from .sort_network import lower_sort_network

__all__ = ["LowerLinalg"]

_LOOP_NAMES = "ijklmnopqrstuvw"


@dataclass(frozen=True)
class LowerLinalg(KernelPass):
    """linalg and linalgx on buffers -> scf loops over scalars, in every kernel."""

    name = "lower-linalg"
    profitability: Profitability = field(default_factory=default_profitability)

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        check_on_buffers(op)
        super().apply(ctx, op)

    def apply_to_function(self, function: FuncOp) -> None:
        constants = Constants(function)
        block = function.body.block
        initial = _take_fills(block)
        for inner in list(block.ops):
            emitter = Emitter(constants, block, inner, inner.location)
            if isinstance(inner, GenericOp):
                _Nest(inner, emitter, initial.get(inner, {})).lower()
            elif isinstance(inner, FillOp):
                _lower_fill(inner, emitter)
            elif isinstance(inner, ScatterBase):
                lower_scatter(inner, emitter, self.profitability)
            elif isinstance(inner, CumulateOp):
                lower_cumulate(inner, emitter)
            elif isinstance(inner, SortOp):
                together = self.profitability.sorts_together(element_bytes(inner.operands[0]))
                if together:
                    lower_sort_network(inner, emitter, together)
                else:
                    lower_sort(inner, emitter)
            elif isinstance(inner, RecordOp):
                lower_record(inner, emitter)
            elif inner.name.startswith("linalg"):
                fail(inner, f"{self.name}: no loops for {inner.name}")


def _take_fills(block: Block) -> dict[Operation, dict[SSAValue, SSAValue]]:
    """Removes fills whose buffer is next used as the accumulator of a reduction that covers it.

    Returns for each such reduction the initial value of each accumulator.
    """
    pending: dict[SSAValue, FillOp] = {}
    initial: dict[Operation, dict[SSAValue, SSAValue]] = {}
    for op in list(block.ops):
        if isinstance(op, FillOp):
            pending[op.outputs[0]] = op
            continue
        touched = set(op.operands).union(*(inner.operands for region in op.regions for inner in region.walk()))
        if isinstance(op, GenericOp):
            elsewhere = touched.difference(op.outputs).union(op.inputs, *(inner.operands for inner in op.body.walk()))
            for position, out in enumerate(op.outputs):
                fill = pending.get(out)
                if fill is not None and out not in elsewhere and _accumulates_all(op, position):
                    initial.setdefault(op, {})[out] = fill.inputs[0]
                    fill.detach()
                    fill.erase()
        for value in touched:
            pending.pop(value, None)
    return initial


def _accumulates_all(op: GenericOp, position: int) -> bool:
    """Whether output `position` is updated over reduction loops, every element of it."""
    map_ = op.indexing_maps.data[len(op.inputs) + position].data
    type_ = op.outputs[position].type
    assert is_memref(type_)
    if any(kind.data == IteratorType.PARALLEL and d not in map_.used_dims() for d, kind in _kinds(op)):
        return False
    extents = _extents(op)
    dims = [e.position for e in map_.results if isinstance(e, AffineDimExpr)]
    return (
        len(set(dims)) == len(map_.results)
        and tuple(extents[d] for d in dims) == type_.get_shape()
        and any(kind.data != IteratorType.PARALLEL for _, kind in _kinds(op))
        and not any(op.iterator_types.data[d].data != IteratorType.PARALLEL for d in dims)
    )


def _kinds(op: GenericOp):
    return enumerate(op.iterator_types.data)


def _extents(op: GenericOp) -> list[int]:
    """The extent of each loop, from the operands that it indexes directly."""
    extents = loop_extents(op)
    if -1 in extents:
        fail(op, f"{op.name}: no operand gives the extent of loop d{extents.index(-1)}")
    return extents


def coefficients(expr: AffineExpr) -> dict[int, int]:
    """How fast an expression grows with each dimension; one inside of a mod or a division counts as 0."""
    match expr:
        case AffineDimExpr(position):
            return {position: 1}
        case AffineBinaryOpExpr(kind=AffineBinaryOpKind.Add):
            result = coefficients(expr.lhs)
            for d, c in coefficients(expr.rhs).items():
                result[d] = result.get(d, 0) + c
            return result
        case AffineBinaryOpExpr(kind=AffineBinaryOpKind.Mul, lhs=lhs, rhs=AffineConstantExpr(factor)):
            return {d: c * factor for d, c in coefficients(lhs).items()}
        case AffineBinaryOpExpr(kind=AffineBinaryOpKind.Mul, lhs=AffineConstantExpr(factor), rhs=rhs):
            return {d: c * factor for d, c in coefficients(rhs).items()}
        case _:
            return {}


def _strides(op: GenericOp) -> list[dict[int, int]]:
    """For each operand, by how many elements each loop moves through its memory."""
    found: list[dict[int, int]] = []
    for map_, operand in zip(op.indexing_maps.data, op.operands, strict=True):
        total: dict[int, int] = {}
        if is_memref(operand.type):
            step = 1
            for expr, size in zip(reversed(map_.data.results), reversed(operand.type.get_shape()), strict=True):
                for d, c in coefficients(expr).items():
                    total[d] = total.get(d, 0) + c * step
                step *= size
        found.append(total)
    return found


def loop_order(op: GenericOp) -> tuple[list[int], list[int]]:
    """The (parallel, reduction) loops of a generic, outermost first.

    Parallel ones run in the order of the first output's memory, reductions in that of the input that they move most
    through; the loop in which most accesses are contiguous becomes the last of its kind.
    """
    strides = _strides(op)
    outputs = len(op.outputs)
    weights = [1] * (len(strides) - outputs) + [2] * outputs
    contiguous = [sum(w for w, s in zip(weights, strides, strict=True) if s.get(d) == 1) for d, _ in _kinds(op)]
    parallel = [d for d, kind in _kinds(op) if kind.data == IteratorType.PARALLEL]
    reduction = [d for d, kind in _kinds(op) if kind.data != IteratorType.PARALLEL]
    leading = strides[-outputs]
    widest = max(strides, key=lambda s: sum(1 for d in reduction if s.get(d)), default=leading)
    for dims, by in ((parallel, leading), (reduction, widest)):
        dims.sort(key=lambda d: -abs(by.get(d, 0)))
        if dims:
            best = max(dims, key=lambda d: (contiguous[d], d == dims[-1]))
            if contiguous[best] > contiguous[dims[-1]]:
                dims.remove(best)
                dims.append(best)
    return parallel, reduction


class _Nest:
    """The loops of one `linalg.generic`: an emitter for each depth, in front of the next inner loop."""

    def __init__(self, op: GenericOp, emitter: Emitter, initial: dict[SSAValue, SSAValue]) -> None:
        self.op = op
        self.initial = initial
        self.extents = _extents(op)
        parallel, reduction = ([d for d in dims if self.extents[d] != 1] for dims in loop_order(op))
        self.order = parallel + reduction
        self.parallel_depth = len(parallel)
        self.depth_of = dict.fromkeys(range(len(self.extents)), 0) | {d: k + 1 for k, d in enumerate(self.order)}
        self.emitters = [emitter]
        self.after = emitter
        self.index: dict[int, SSAValue] = {d: emitter.index(0) for d, n in enumerate(self.extents) if n == 1}
        self.expressions: dict[AffineExpr, SSAValue] = {}
        self.depths: dict[SSAValue, int] = {}
        """The depth at which each value made in the nest is available; others are at 0."""
        self.maps = [map_.data for map_ in op.indexing_maps.data]
        self.in_memory = [any(self.depth_of[d] > self.parallel_depth for d in m.used_dims()) for m in self.out_maps]
        """Outputs indexed by a reduction loop: these accumulate in memory."""

    @property
    def out_maps(self):
        return self.maps[len(self.op.inputs) :]

    def lower(self) -> None:
        if all(self.extents[d] for d in self.order[: self.parallel_depth]):
            for depth in range(self.parallel_depth):
                self.open(depth, [])
            arguments = self.op.body.block.args[len(self.op.inputs) :]
            carried = [k for k in range(len(self.op.outputs)) if not self.in_memory[k]]
            if any(self.extents[d] == 0 for d in self.order):
                self.finish(carried, [self.initial_value(k, arguments[k]) for k in carried])
            else:
                self.fill(carried, arguments)
        self.op.detach()
        self.op.erase()

    def initial_value(self, k: int, argument: BlockArgument) -> SSAValue:
        """The value output `k` starts from."""
        buffer = self.op.outputs[k]
        if buffer in self.initial:
            return self.initial[buffer]
        emitter = self.emitters[self.parallel_depth]
        return emitter.load(buffer, self.indices(self.out_maps[k]))

    def fill(self, carried: list[int], arguments: tuple[BlockArgument, ...]) -> None:
        """Reduction loops with what they carry, the body, the stores."""
        reduces = len(self.order) > self.parallel_depth
        # Without a reduction an output that the body does not read needs no load.
        read = [k for k in carried if reduces or arguments[k].uses.get_length()]
        values = [self.initial_value(k, arguments[k]) for k in read]
        results = None
        for depth in range(self.parallel_depth, len(self.order)):
            loop = self.open(depth, values)
            values = list(loop.body.block.args[1:])
            if results is None:
                results = list(loop.results)
            else:
                self.emitters[depth].inside(self.emitters[depth].block).yield_(loop.results)
            for value in values:
                self.depths[value] = depth + 1
        for k, value in zip(read, values, strict=True):
            arguments[k].replace_all_uses_with(value)
            self.depths.setdefault(value, self.parallel_depth)
        yielded = self.body()
        innermost = self.emitters[-1]
        for k, in_memory in enumerate(self.in_memory):
            if in_memory:
                innermost.store(yielded[k], self.op.outputs[k], self.indices(self.out_maps[k]))
        if reduces:
            innermost.yield_([yielded[k] for k in carried])
        self.finish(carried, [yielded[k] for k in carried] if results is None else results)

    def finish(self, carried: list[int], values: Sequence[SSAValue]) -> None:
        """Stores the results at the end of the innermost parallel loop and closes the parallel loops."""
        inside = self.after
        if self.parallel_depth:
            inside = inside.inside(self.emitters[self.parallel_depth].block)
        for k, value in zip(carried, values, strict=True):
            indices = self.indices(self.out_maps[k])
            inside.store(value, self.op.outputs[k], indices)
        for emitter in self.emitters[1 : self.parallel_depth + 1]:
            emitter.inside(emitter.block).yield_()

    def open(self, depth: int, carried: Sequence[SSAValue]):
        """Opens the loop at `depth`; from now on the emitter outside stands in front of it."""
        dim = self.order[depth]
        outside = self.emitters[depth]
        name = _LOOP_NAMES[dim] if dim < len(_LOOP_NAMES) else None
        loop = outside.loop(
            outside.index(0), outside.index(self.extents[dim]), outside.index(1), carried, parallel_attributes(), name
        )
        self.emitters[depth] = outside.inside(outside.block, loop)
        self.emitters.append(outside.inside(loop.body.block))
        self.index[dim] = loop.body.block.args[0]
        self.depths[loop.body.block.args[0]] = depth + 1
        return loop

    def body(self) -> list[SSAValue]:
        """Moves the body's operations to where they belong; returns what it yields."""
        op, block = self.op, self.op.body.block
        written = set(op.outputs)
        for k, argument in enumerate(block.args):
            buffer = op.operands[k]
            if not argument.uses.get_length():
                continue
            if not is_memref(buffer.type):
                argument.replace_all_uses_with(buffer)
                continue
            depth = max((self.depth_of[d] for d in self.maps[k].used_dims()), default=0)
            if buffer in written:
                depth = len(self.order)
            value = self.emitters[depth].load(buffer, self.indices(self.maps[k]))
            value.name_hint = argument.name_hint
            self.depths[value] = depth
            argument.replace_all_uses_with(value)
        for inner in list(block.ops):
            if isinstance(inner, YieldOp):
                return list(inner.operands)
            if isinstance(inner, IndexOp):
                inner.result.replace_all_uses_with(self.index[inner.dim.value.data])
                continue
            inner.detach()
            if isinstance(inner, arith.ConstantOp):
                inner.result.replace_all_uses_with(self.emitters[0].constants.get(inner.value))
                continue
            depth = max((self.depths.get(value, 0) for value in inner.operands), default=0)
            if not _movable(inner, written):
                depth = len(self.order)
            self.emitters[depth].insert(inner)
            for result in inner.results:
                self.depths[result] = depth
        fail(op, f"{op.name}: a body without linalg.yield")

    def indices(self, map_: AffineMap) -> list[SSAValue]:
        return [self.expression(expr) for expr in map_.results]

    def expression(self, expr: AffineExpr) -> SSAValue:
        """The value of an index expression, computed in the outermost loop that can."""
        emitter = self.emitters[max((self.depth_of[d] for d in expr.used_dims()), default=0)]
        match expr:
            case AffineDimExpr(position):
                return self.index[position]
            case AffineConstantExpr(value):
                return emitter.index(value)
            case AffineBinaryOpExpr(kind, lhs, rhs) if kind in _ARITHMETIC:
                found = self.expressions.get(expr)
                if found is None:
                    a, b = self.expression(lhs), self.expression(rhs)
                    found = self.expressions[expr] = _ARITHMETIC[kind](emitter, a, b)
                return found
            case _:
                fail(self.op, f"{self.op.name}: cannot compute the index {expr}")


_ARITHMETIC = {
    AffineBinaryOpKind.Add: Emitter.add,
    AffineBinaryOpKind.Mul: Emitter.mul,
    AffineBinaryOpKind.Mod: Emitter.rem,
    AffineBinaryOpKind.FloorDiv: Emitter.div,
}


def _movable(op: Operation, written: set[SSAValue]) -> bool:
    """Whether an operation may run fewer times than the innermost loop does."""
    if isinstance(op, memref.LoadOp):
        return op.memref not in written
    return not op.regions and is_side_effect_free(op)


def _lower_fill(op: FillOp, emitter: Emitter) -> None:
    """A loop nest that stores one value everywhere."""
    value, buffer = op.inputs[0], op.outputs[0]
    assert is_memref(buffer.type)
    shape = buffer.type.get_shape()
    if 0 not in shape:
        inside = emitter
        indices: list[SSAValue] = []
        blocks: list[Emitter] = []
        for d, extent in enumerate(shape):
            if extent == 1:
                indices.append(inside.index(0))
                continue
            loop = inside.loop(
                inside.index(0), inside.index(extent), inside.index(1), (), parallel_attributes(), _LOOP_NAMES[d]
            )
            inside = inside.inside(loop.body.block)
            indices.append(loop.body.block.args[0])
            blocks.append(inside)
        inside.store(value, buffer, indices)
        for block in blocks:
            block.yield_()
    op.detach()
    op.erase()
