"""Scans of the host function to loops over tensors, in destination-passing form.

%h, %ys = hl.scan 60 carry(%h0) over(%xs) with(%w) {       %h, %ys = scf.for %t = 0 to 60 iter_args(%c = %h0, %s = %e) {
^bb0(%c, %x, %w):                                            %x = tensor.extract_slice %xs[%t, 0, 0] [1, 32, 16]
  %h2, %y = func.call @k(%c, %x, %w)                 ->      %d = tensor.extract_slice %s[%t, 0, 0] [1, 32, 128]
  hl.yield %h2, %y                                           %h2, %y = func.call @k(%c, %x, %w, empty, %d)
}                                                            %s2 = tensor.insert_slice %y into %s[%t, 0, 0]
                                                             scf.yield %h2, %s2
"""

from __future__ import annotations

from typing import Protocol

from xdsl.dialects import tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, TensorType, i32, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, SSAValue

from ...dialects.hl.control import ScanOp
from ...dialects.types import is_tensor
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from .convert_kernel import lowered_type


class ScanHost(Protocol):
    """What a scan needs of the host function that it stands in."""

    function: FuncOp
    slices: dict[SSAValue, tuple[SSAValue, SSAValue]]

    def convert(self, op: Operation) -> None:
        """Rewrites one op of the scan's body."""
        ...


def slice_properties(shape: tuple[int, ...], segments: list[int]) -> dict[str, Attribute]:
    """[t, 0, 0] [1, n, m] [1, 1, 1]: the slice at one index of the first dimension."""
    rank = len(shape)
    return {
        "static_offsets": DenseArrayBase.from_list(i64, [DYNAMIC_INDEX, *([0] * (rank - 1))]),
        "static_sizes": DenseArrayBase.from_list(i64, [1, *shape[1:]]),
        "static_strides": DenseArrayBase.from_list(i64, [1] * rank),
        "operandSegmentSizes": DenseArrayBase.from_list(i32, segments),
    }


def extract(e: Emitter, source: SSAValue, position: SSAValue) -> SSAValue:
    """One slice of a tensor along its first dimension."""
    assert is_tensor(source.type)
    shape = source.type.get_shape()
    result = TensorType(source.type.element_type, shape[1:])
    properties = slice_properties(shape, [1, 1, 0, 0])
    return e.create(tensor.ExtractSliceOp, [source, position], [result], properties).results[0]


def insert(e: Emitter, source: SSAValue, destination: SSAValue, position: SSAValue) -> SSAValue:
    """The tensor with one slice replaced."""
    assert is_tensor(destination.type)
    properties = slice_properties(destination.type.get_shape(), [1, 1, 1, 0, 0])
    return e.create(tensor.InsertSliceOp, [source, destination, position], [destination.type], properties).results[0]


def lower_scan(host: ScanHost, op: ScanOp) -> None:
    """Replaces one scan; the calls in its body are converted as all others are."""
    block = op.parent
    assert block is not None
    e = Emitter(Constants(host.function), block, op, op.location)
    count = len(op.carried)
    stacks = [e.create(tensor.EmptyOp, [], [lowered_type(r.type)]).results[0] for r in op.outputs[count:]]
    loop = e.loop(e.index(0), e.index(op.steps), e.index(1), [*op.carried, *stacks], name="t")
    body, old = loop.body.block, op.body.block
    inner = e.inside(body)
    t, *arguments = body.args
    position = inner.sub(e.index(op.steps - 1), t) if op.backwards else t
    slices = [extract(inner, x, position) for x in op.xs]
    for before, after in zip(old.args, [*arguments[:count], *slices, *op.constants]):
        after.name_hint = after.name_hint or before.name_hint
        before.replace_all_uses_with(after)
    terminator = op.terminator
    for value, stack in zip(terminator.values[count:], arguments[count:]):
        host.slices[value] = (stack, position)
    for inside in list(old.ops):
        inside.detach()
        body.add_op(inside)
        if inside is not terminator:
            host.convert(inside)
    filled = [insert(inner, v, s, position) for v, s in zip(terminator.values[count:], arguments[count:])]
    inner.yield_([*terminator.values[:count], *filled])
    terminator.detach()
    terminator.erase()
    for before, after in zip(op.results, loop.results):
        after.name_hint = before.name_hint
        before.replace_all_uses_with(after)
    op.detach()
    op.erase()
