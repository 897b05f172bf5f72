"""Gives the shared temporaries of kernels their place in one buffer that the host owns.

    func.func private @k(%x: memref<64xf32>) attributes {irtool.kernel} {
      %t = memref.alloc() : memref<64xf32>
->
    func.func private @k(%x: memref<64xf32>, %workspace: memref<?xi8> {irtool.workspace}) attributes {irtool.kernel} {
      %t = memref.view %workspace[%c0][] : memref<?xi8> to memref<64xf32>

`share-workspace` then gives the host function `%workspace: memref<256xi8> {irtool.workspace}`, as large as the neediest
kernel wants, and passes it on; it always has one, so that it can be told that the pass has run. Kernels run one after
the other, so they share it. Where those that do not depend on one another may run side by side, each call has a place
of its own, until `workspace_bytes` are used up and the first places come again:

    %w = memref.view %workspace[%c256][] : memref<1024xi8> to memref<128xi8>
    func.call @k(%x, %w as memref<?xi8>)
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, DictionaryAttr, FunctionType, MemRefType, UnitAttr, i8
from xdsl.ir import SSAValue

from ...dialects.marks import KERNEL_ATTRIBUTE, WORKSPACE_ATTRIBUTE
from ...dialects.spmd import Space
from ...dialects.types import bytes_of
from ..interface import argument_marks
from ..options import option
from ..pass_base import HostPass, KernelPass, fail, functions, kernels
from ..utils.constants import Constants, constant_value
from ..utils.emitter import Emitter
from ..utils.memory import space_of

__all__ = ["HoistWorkspace", "ShareWorkspace"]

_ALIGNMENT = 64
_ANY = MemRefType(i8, [DYNAMIC_INDEX])


@dataclass(frozen=True)
class HoistWorkspace(KernelPass):
    """memref.alloc in kernels -> views of a trailing workspace argument. What blocks have for themselves stays."""

    name = "hoist-workspace"
    workspace_bytes: int = option(0, 0)

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        super().apply(ctx, op)
        ShareWorkspace(self.workspace_bytes).apply(
            ctx, op
        )  # so that the calls fit at once, where a whole module is at hand

    def apply_to_function(self, function: func.FuncOp) -> None:
        _hoist(function)


@dataclass(frozen=True)
class ShareWorkspace(HostPass):
    """Host functions that have none get a workspace, for kernels that have been hoisted one by one."""

    name = "share-workspace"
    workspace_bytes: int = option(0, 0)
    """Bytes in which calls have places of their own."""

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        needs = {kernel.sym_name.data: size for kernel in kernels(op) if (size := _need(kernel)) is not None}
        for function in functions(op):
            if KERNEL_ATTRIBUTE not in function.attributes:
                _serve(function, needs, self.workspace_bytes)


def _hoist(kernel: func.FuncOp) -> None:
    """Replaces the allocations of a kernel."""
    allocs = [op for op in kernel.walk() if isinstance(op, memref.AllocOp) and space_of(op.memref) is Space.GLOBAL]
    if not allocs:
        return
    workspace = _add_argument(kernel, _ANY)
    constants = Constants(kernel)
    offset = 0
    for alloc in allocs:
        buffer = alloc.results[0]
        assert alloc.parent is not None
        emitter = Emitter(constants, alloc.parent, alloc, alloc.location)
        view = emitter.create(memref.ViewOp, [workspace, emitter.index(offset)], [buffer.type])
        view.results[0].name_hint = buffer.name_hint
        buffer.replace_all_uses_with(view.results[0])
        alloc.detach()
        alloc.erase()
        offset += _aligned(bytes_of(buffer.type))


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _need(kernel: func.FuncOp) -> int | None:
    """How many bytes of workspace the views in a kernel take; None where it has no such argument."""
    marked = [
        argument
        for argument, marks in zip(kernel.body.block.args, argument_marks(kernel))
        if WORKSPACE_ATTRIBUTE in marks
    ]
    if not marked:
        return None
    views = [use.operation for argument in marked for use in argument.uses]
    ends = [_offset(view) + bytes_of(view.results[0].type) for view in views if isinstance(view, memref.ViewOp)]
    return _aligned(max(ends, default=0))


def _offset(view: memref.ViewOp) -> int:
    offset = constant_value(view.byte_shift)
    return fail(view, "expected a constant place in the workspace") if offset is None else offset


def _serve(host: func.FuncOp, needs: dict[str, int], apart: int) -> None:
    """Gives a host function its workspace and passes it to the kernels that need it."""
    if any(WORKSPACE_ATTRIBUTE in entry.data for entry in host.arg_attrs or ()):
        return
    calls = [op for op in host.walk() if isinstance(op, func.CallOp) and op.callee.root_reference.data in needs]
    wanted = [needs[call.callee.root_reference.data] for call in calls]
    most = max(wanted, default=0)
    size = min(sum(wanted), max(apart, most)) if apart else most
    workspace = _add_argument(host, MemRefType(i8, [size]))
    if not calls:
        return
    block = host.body.block
    first = next(op for op in block.ops if not isinstance(op, arith.ConstantOp))
    emitter = Emitter(Constants(host), block, first)
    passed, used = None, 0
    for call, need in zip(calls, wanted, strict=True):
        place = workspace
        if apart:
            used = 0 if used + need > size else used
            place = emitter.create(memref.ViewOp, [workspace, emitter.index(used)], [MemRefType(i8, [need])]).results[0]
            used += need
        if passed is None or apart:
            passed = emitter.create(memref.CastOp, [place], [_ANY]).results[0]
        call.operands = [*call.operands, passed]


def _add_argument(function: func.FuncOp, type_: MemRefType) -> SSAValue:
    """Appends a marked workspace argument."""
    block = function.body.block
    workspace = block.insert_arg(type_, len(block.args))
    workspace.name_hint = "workspace"
    inputs = [argument.type for argument in block.args]
    function.function_type = FunctionType.from_lists(inputs, list(function.function_type.outputs))
    marks = list(function.arg_attrs or [DictionaryAttr({})] * (len(inputs) - 1))
    function.arg_attrs = ArrayAttr([*marks, DictionaryAttr({WORKSPACE_ATTRIBUTE: UnitAttr()})])
    return workspace
