"""Loops of the host function on buffers: nothing is carried but the counter.

    %c0 = func.call @copy(%h0, %e)                        %pair = memref.alloc() : memref<2x32x128xf32>
    %h, %ys = scf.for %t iter_args(%c = %c0, %s = %e2)    func.call @copy(%h0, %pair[0])
      %x = tensor.extract_slice %xs[%t]             ->    scf.for %t
      %h2, %y = func.call @k(%c, %x, %e3, %s[%t])           func.call @k(%pair[%t mod 2], %xs[%t],
                                                                         %pair[1 - %t mod 2], %ys[%t])
      scf.yield %h2, insert %y into %s[%t]                (%h is %pair[steps mod 2])

What a round leaves to the next lies in the two halves of one buffer in turn: a round reads one half and writes the
other. A stack is one buffer of which each round writes a slice.
"""

from __future__ import annotations

from typing import Protocol

from xdsl.dialects import arith, memref, scf, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, IntegerAttr, MemRefType, i32, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from ...dialects.types import is_memref
from ..pass_base import fail
from ..utils.constants import Constants, memref_type
from ..utils.emitter import Emitter
from ..utils.loop_info import static_range


class LoopHost(Protocol):
    """What a loop needs of the host function that it stands in."""

    function: FuncOp
    homes: dict[SSAValue, SSAValue]

    def destination(self, value: SSAValue, terminator: Operation) -> SSAValue:
        """The tensor.empty that a call's result is written to."""
        ...

    def convert(self, op: Operation) -> None:
        """Rewrites one op of the loop's body."""
        ...


def slice_of(e: Emitter, buffer: SSAValue, position: SSAValue | int) -> SSAValue:
    """The part of a buffer at one index of its first dimension, as a buffer of its own."""
    assert is_memref(buffer.type)
    shape = buffer.type.get_shape()
    rank = len(shape)
    fixed = isinstance(position, int)
    offset = position if isinstance(position, int) else DYNAMIC_INDEX
    sizes = [1, *shape[1:]]
    whole = memref.SubviewOp.infer_result_type(buffer.type, [position, *([0] * (rank - 1))], sizes, [1] * rank)
    view = e.create(
        memref.SubviewOp,
        [buffer] if fixed else [buffer, position],
        [_without_first(whole)],
        {
            "static_offsets": DenseArrayBase.from_list(i64, [offset, *([0] * (rank - 1))]),
            "static_sizes": DenseArrayBase.from_list(i64, sizes),
            "static_strides": DenseArrayBase.from_list(i64, [1] * rank),
            "operandSegmentSizes": DenseArrayBase.from_list(i32, [1, 0 if fixed else 1, 0, 0]),
        },
    ).results[0]
    plain = memref_type(buffer.type.element_type, tuple(shape[1:]))
    if view.type == plain:
        return view
    return e.create(memref.CastOp, [view], [plain]).results[0]


def _without_first(type_: MemRefType) -> MemRefType:
    """The type of a view whose first dimension, of extent 1, is dropped: only that one, whatever the other extents."""
    from xdsl.dialects.builtin import StridedLayoutAttr

    layout = type_.layout
    assert isinstance(layout, StridedLayoutAttr)
    shape, strides = type_.get_shape()[1:], list(layout.strides)[1:]
    return MemRefType(type_.element_type, shape, StridedLayoutAttr(strides, layout.offset))


def bufferize_loop(host: LoopHost, op: scf.ForOp) -> None:
    """Replaces a loop over tensors by one over buffers."""
    steps = static_range(op)
    if steps is None or steps[0] != 0 or steps[2] != 1:
        fail(op, "expected a loop from 0 to a constant by 1 around kernel calls")
    block, body = op.parent, op.body.block
    terminator = body.last_op
    assert block is not None and isinstance(terminator, scf.YieldOp)
    outside = Emitter(Constants(host.function), block, op, op.location)
    loop = outside.loop(op.lb, op.ub, op.step, name="t")
    inner = outside.inside(loop.body.block)
    t = loop.body.block.args[0]
    body.args[0].replace_all_uses_with(t)
    parity: list[SSAValue] = []
    results: list[SSAValue] = []
    for argument, initial, yielded in zip(body.args[1:], op.iter_args, terminator.operands):
        if is_stack(argument, yielded):
            argument.replace_all_uses_with(initial)
            results.append(initial)
            continue
        if not parity:
            current = inner.op(arith.RemUIOp, t, outside.index(2))
            parity = [current, inner.op(arith.SubiOp, outside.index(1), current)]
        pair = two_of(host, op, initial)
        argument.replace_all_uses_with(slice_of(inner, pair, parity[0]))
        destination = host.destination(yielded, terminator)
        host.homes[destination] = slice_of(inner, pair, parity[1])
        after = Emitter(outside.constants, block, op, op.location)
        results.append(slice_of(after, pair, steps[1] % 2))
    for inside in list(body.ops):
        if inside is terminator:
            continue
        inside.detach()
        loop.body.block.add_op(inside)
        convert(host, inner, inside)
    inner.yield_()
    for before, after in zip(op.results, results):
        after.name_hint = after.name_hint or before.name_hint
        before.replace_all_uses_with(after)
    op.detach()
    op.erase()


def convert(host: LoopHost, e: Emitter, op: Operation) -> None:
    """Rewrites one op of a loop's body."""
    if isinstance(op, tensor.ExtractSliceOp):
        at = Emitter(e.constants, e.block, op, op.location)
        view = slice_of(at, op.source, op.offsets[0])
        view.name_hint = op.results[0].name_hint
        op.results[0].replace_all_uses_with(view)
    elif isinstance(op, tensor.InsertSliceOp):
        op.results[0].replace_all_uses_with(op.dest)
    else:
        host.convert(op)
        return
    op.detach()
    op.erase()


def is_stack(argument: SSAValue, yielded: SSAValue) -> bool:
    """Whether a carried tensor is filled slice by slice."""
    return isinstance(yielded.owner, tensor.InsertSliceOp) and yielded.owner.dest is argument


def two_of(host: LoopHost, op: scf.ForOp, initial: SSAValue) -> SSAValue:
    """A buffer with two halves, the first of which takes the place of the buffer that a carried value starts in."""
    alloc = initial.owner
    if not isinstance(alloc, memref.AllocOp):
        fail(op, "what a loop carries starts in a buffer of its own: copy it first")
    assert is_memref(initial.type) and alloc.parent is not None
    pair = memref.AllocOp.create(
        result_types=[memref_type(initial.type.element_type, (2, *initial.type.get_shape()))],
        properties={"operandSegmentSizes": DenseArrayBase.from_list(i32, [0, 0]), "alignment": IntegerAttr(64, i64)},
        location=alloc.location,
    )
    pair.results[0].name_hint = initial.name_hint
    alloc.parent.insert_op_before(pair, alloc)
    first = slice_of(Emitter(Constants(host.function), alloc.parent, alloc, alloc.location), pair.results[0], 0)
    initial.replace_all_uses_with(first)
    alloc.detach()
    alloc.erase()
    return pair.results[0]
