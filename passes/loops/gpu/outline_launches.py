"""Makes each launch a function of the GPU, and the host function one that launches them.

    func.func @step(%x, %y, %arena, %workspace) {               func.func @step(%x, %y, %arena, %workspace) {
      func.call @k(%x, %y, %workspace)                            %t = memref.view %workspace[%c0][]
    }                                                             gpu.launch_func @kernels::@k blocks in (64, 1, 1)
    func.func private @k(%x, %y, %w) {                                threads in (256, 1, 1) args(%x, %t)
      %t = memref.view %w[%c0][]                         ->       gpu.launch_func @kernels::@k_2 ... args(%t, %y)
      spmd.parallel { ... } {blocks = 64, threads = 256}        }
      spmd.parallel { ... } {blocks = 3, threads = 256}         gpu.module @kernels {
    }                                                             gpu.func @k(%x, %t) kernel { ... gpu.return }
                                                                  gpu.func @k_2(%t, %y) kernel { ... gpu.return }
                                                                }

Launches do not wait for the host: after a `spmd.stop_on_error` all of them look at the record of errors first, and do
nothing where it names a failed check.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, func, gpu, memref, scf
from xdsl.dialects.builtin import (
    IntegerAttr,
    MemRefType,
    ModuleOp,
    i64,
)
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ....dialects.marks import ERRORS_ATTRIBUTE, KERNEL_ATTRIBUTE
from ....dialects.spmd import BarrierOp, ParallelOp, StopOnErrorOp
from ...effects import only_computes
from ...interface import argument_marks, check_on_buffers
from ...pass_base import fail, functions, kernels
from ...utils.constants import Constants, constant_value
from ...utils.emitter import Emitter
from ...utils.memory import root
from ...utils.setup import BUFFERS
from .device_functions import DeviceFunctions, launch_function
from .launches import BLOCK, BLOCKS, THREADS, number

__all__ = ["OutlineLaunches"]

_EQ = 0


@dataclass(frozen=True)
class OutlineLaunches(ModulePass):
    """Kernels of launches -> functions of the GPU, and launches of these."""

    name = "outline-launches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        for kernel in kernels(op):
            _check_launches(kernel)
        outliner = _Outliner(DeviceFunctions(op), {k.sym_name.data: k for k in kernels(op)})
        for function in functions(op):
            if KERNEL_ATTRIBUTE not in function.attributes:
                outliner.host(function)
        for kernel in kernels(op):
            kernel.detach()
            kernel.erase()


@dataclass(frozen=True)
class _Outlined:
    """A function of the GPU, and what of its kernel it is given."""

    function: gpu.FuncOp
    arguments: tuple[SSAValue, ...]
    """Arguments of the kernel, or views of its workspace."""


class _Outliner:
    def __init__(self, device: DeviceFunctions, kernels: dict[str, func.FuncOp]) -> None:
        self.device = device
        self.kernels = kernels
        self.made: dict[tuple[str, bool, bool], list[_Outlined]] = {}

    def host(self, function: func.FuncOp) -> None:
        """Replaces the calls of a host function by launches."""
        constants = Constants(function)
        errors = next(
            (a for a, marks in zip(function.body.block.args, argument_marks(function)) if ERRORS_ATTRIBUTE in marks),
            None,
        )
        self.calls(function.body.block, constants, errors, False)
        for op in reversed([*function.body.block.ops]):
            if isinstance(op, memref.ViewOp | memref.CastOp) and op.results[0].first_use is None:
                op.detach()
                op.erase()

    def calls(self, block: Block, constants: Constants, errors: SSAValue | None, guarded: bool) -> bool:
        """Rewrites a block. `guarded`: whether a check may have failed before; returns whether one may have after."""
        for op in list(block.ops):
            if isinstance(op, scf.ForOp | scf.IfOp):
                inside = guarded or any(isinstance(inner, StopOnErrorOp) for inner in op.walk())
                for region in op.regions:
                    for inner in region.blocks:
                        self.calls(inner, constants, errors, inside)
                guarded = inside
            elif isinstance(op, StopOnErrorOp):
                if op.record is not op.errors:
                    self.copy_record(op, constants, guarded)
                guarded = True
                op.detach()
                op.erase()
            elif isinstance(op, func.CallOp):
                self.call(op, constants, errors if guarded else None)
        return guarded

    def call(self, op: func.CallOp, constants: Constants, errors: SSAValue | None) -> None:
        kernel = self.kernels.get(op.callee.string_value())
        if kernel is None:
            fail(op, f"expected a call of a kernel, got @{op.callee.string_value()}")
        values: dict[SSAValue, SSAValue] = dict(zip(kernel.body.block.args, op.operands, strict=True))
        assert op.parent is not None
        e = Emitter(constants, op.parent, op, op.location)
        same = errors is not None and any(root(value) is errors for value in op.operands)
        for outlined in self.outline(kernel, errors is not None, same):
            given = [self.given(value, values, e) for value in outlined.arguments]
            launch_function(e, outlined.function, [*given, errors] if errors is not None else given)
        op.detach()
        op.erase()

    def given(self, value: SSAValue, values: dict[SSAValue, SSAValue], e: Emitter) -> SSAValue:
        """What stands for a value of the kernel on the host: views of the workspace are made there."""
        if value not in values:
            view = value.owner
            assert isinstance(view, memref.ViewOp)
            offset = view.byte_shift.owner
            assert isinstance(offset, arith.ConstantOp) and isinstance(offset.value, IntegerAttr)
            source, start = _base(values[view.source])
            shift = e.index(start + offset.value.value.data)
            made = e.create(memref.ViewOp, [source, shift], [value.type])
            made.results[0].name_hint = value.name_hint
            values[value] = made.results[0]
        return values[value]

    def outline(self, kernel: func.FuncOp, guarded: bool, waits: bool) -> list[_Outlined]:
        """The functions of a kernel's launches, made once. `waits`: whether they may write to the record of errors,
        so that all threads have to have looked at it before."""
        name = kernel.sym_name.data
        found = self.made.get((name, guarded, waits))
        if found is None:
            launches = [op for op in kernel.body.block.ops if isinstance(op, ParallelOp)]
            found = self.made[name, guarded, waits] = [self.function(name, op, guarded, waits) for op in launches]
        return found

    def function(self, name: str, op: ParallelOp, guarded: bool, waits: bool) -> _Outlined:
        body = Block()
        values: dict[SSAValue, SSAValue] = {}
        arguments: list[SSAValue] = []
        constants = Constants(body)
        e = Emitter(constants, body, None, op.location)

        def known(value: SSAValue) -> SSAValue:
            """A value from outside of the launch."""
            if value in values:
                return values[value]
            owner = value.owner
            if isinstance(owner, arith.ConstantOp):
                values[value] = constants.get(owner.value)
            elif isinstance(owner, Block | memref.ViewOp):
                values[value] = body.insert_arg(value.type, len(body.args))
                arguments.append(value)
            else:
                for operand in owner.operands:
                    known(operand)
                e.insert(owner.clone(values))
            values[value].name_hint = value.name_hint
            return values[value]

        outside = {operand for inner in op.body.walk() for operand in inner.operands if not _inside(operand, op)}
        order = {value: k for k, value in enumerate(_in_order(op, outside))}
        for value in sorted(outside, key=order.__getitem__):
            known(value)
        at, branch = e, None
        if guarded:
            errors = body.insert_arg(ERRORS, len(body.args))
            errors.name_hint = "errors"
            zero = constants.scalar(i64, 0)
            found = e.load(errors, [e.index(0)])
            if waits:
                e.create(BarrierOp, [], properties={"scope": BLOCK})
            branch = e.if_(e.compare(_EQ, found, zero))
            at = e.inside(branch.true_region.block)
        for inner in op.body.block.ops:
            at.insert(inner.clone(values))
        if branch is not None:
            at.yield_()
        made = self.device.add(name, body, number(op, BLOCKS), number(op, THREADS), op.location)
        return _Outlined(made, tuple(arguments))

    def copy_record(self, op: StopOnErrorOp, constants: Constants, guarded: bool) -> None:
        """A launch that hands a record on to the one that the caller looks at."""
        body = Block(arg_types=[ERRORS, ERRORS])
        record, errors = body.args
        record.name_hint, errors.name_hint = "record", "errors"
        e = Emitter(Constants(body), body, None, op.location)
        first = e.compare(_EQ, e.load(errors, [e.index(0)]), e.constants.scalar(i64, 0))
        branch = e.if_(first)
        inside = e.inside(branch.true_region.block)
        for k in range(3):
            inside.store(inside.load(record, [inside.index(k)]), errors, [inside.index(k)])
        inside.yield_()
        made = self.device.add("copy_record", body, 1, 1, op.location)
        assert op.parent is not None
        launch_function(Emitter(constants, op.parent, op, op.location), made, [op.record, op.errors])


ERRORS = MemRefType(i64, [3])
"""The type of a record of errors."""


def _check_launches(kernel: func.FuncOp) -> None:
    """Fails where a kernel does more than launch: what stands outside of launches would be lost."""
    for op in kernel.body.block.ops:
        if not (isinstance(op, (ParallelOp, *BUFFERS)) or only_computes(op)):
            fail(op, f"outline-launches: expected launches alone, got {op.name}; run map-blocks")


def _base(workspace: SSAValue) -> tuple[SSAValue, int]:
    """The workspace of all kernels, and where in it that of a call begins."""
    owner = workspace.owner
    if isinstance(owner, memref.CastOp):
        return _base(owner.source)
    offset = constant_value(owner.byte_shift) if isinstance(owner, memref.ViewOp) else None
    if not isinstance(owner, memref.ViewOp) or offset is None:
        return workspace, 0
    source, start = _base(owner.source)
    return source, start + offset


def _inside(value: SSAValue, op: Operation) -> bool:
    """Whether a value is made within an operation."""
    owner = value.owner
    around = owner.parent_op() if isinstance(owner, Block) else owner
    return around is not None and op.is_ancestor(around)


def _in_order(op: ParallelOp, outside: set[SSAValue]) -> list[SSAValue]:
    """Values in the order of the function that they are from: its arguments, then what it computes."""
    block = op.parent
    assert block is not None
    results = [result for before in block.ops for result in before.results]
    return [value for value in (*block.args, *results) if value in outside]
