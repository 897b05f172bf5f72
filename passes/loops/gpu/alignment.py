"""Of which power of two the address of a buffer is a multiple, wherever the program is called.

%h = memref.view %arena[%c192][] : …               64 bytes: the arena's address is a multiple of that
%r = memref.subview %h[%i, 0] … of rows of 12      4 bytes: 12 i
func.call @k(%h, %r)                               the arguments of @k: 64 and 4, the least of all calls
"""

from __future__ import annotations

from math import gcd

from xdsl.dialects import func, memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, ModuleOp, StridedLayoutAttr
from xdsl.ir import Block, SSAValue

from ....dialects.marks import KERNEL_ATTRIBUTE
from ....dialects.types import is_memref, memref_of
from ...pass_base import functions
from ...utils.constants import constant_value
from ...utils.memory import element_bytes

ALIGNMENT = 64
"""Of what a program is given, of its arena and workspace, and of what kernels allocate there."""


def argument_alignments(module: ModuleOp) -> dict[SSAValue, int]:
    """The arguments of kernels, by what their calls give them; nothing where nobody calls one."""
    kernels = {f.sym_name.data: f for f in functions(module) if KERNEL_ATTRIBUTE in f.attributes}
    found: dict[SSAValue, int] = {}
    for host in functions(module):
        if KERNEL_ATTRIBUTE in host.attributes:
            continue
        for op in host.walk():
            kernel = kernels.get(op.callee.string_value()) if isinstance(op, func.CallOp) else None
            for argument, value in zip(kernel.body.block.args if kernel else (), op.operands):
                if is_memref(value.type):
                    found[argument] = min(found.get(argument, ALIGNMENT), alignment_of(value, {}))
    return found


def alignment_of(buffer: SSAValue, arguments: dict[SSAValue, int]) -> int:
    """Of a buffer, whose function may be given less than usual."""
    owner = buffer.owner
    if isinstance(owner, Block):
        is_argument = isinstance(owner.parent_op(), func.FuncOp)
        return arguments.get(buffer, ALIGNMENT) if is_argument else element_bytes(buffer)
    match owner:
        case memref.AllocOp():
            return ALIGNMENT
        case memref.CollapseShapeOp() | memref.ExpandShapeOp() | memref.CastOp():
            return alignment_of(owner.operands[0], arguments)
        case memref.ViewOp():
            offset = constant_value(owner.byte_shift)
            return 1 if offset is None else gcd(alignment_of(owner.source, arguments), offset)
        case memref.SubviewOp():
            strides = _strides(owner.source)
            starts = owner.static_offsets.get_values()
        case memref.ReinterpretCastOp():
            strides, starts = (1,), owner.static_offsets.get_values()
        case _:
            return element_bytes(buffer)
    size = element_bytes(buffer)
    offsets = [size * stride * (1 if start == DYNAMIC_INDEX else start) for start, stride in zip(starts, strides)]
    return gcd(alignment_of(owner.operands[0], arguments), *offsets)


def _strides(buffer: SSAValue) -> tuple[int, ...]:
    """Of a buffer, as far as they are known; 1 where they are not."""
    type_ = memref_of(buffer)
    if isinstance(type_.layout, StridedLayoutAttr):
        return tuple(getattr(stride, "data", 1) for stride in type_.layout.strides)
    strides, step = list[int](), 1
    for extent in reversed(type_.get_shape()):
        strides.insert(0, step)
        step *= max(extent, 1)
    return tuple(strides)
