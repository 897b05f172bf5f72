"""The host: calls of kernels that name the destinations of their results (`convert_hl.py` draws it)."""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import FunctionType, IntegerAttr, SymbolRefAttr, TensorType, i64
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.rewriter import Rewriter

from ...dialects.hl.control import ScanOp
from ...dialects.hl.shape import ReshapeOp
from ...dialects.marks import OUT_ATTRIBUTE
from ...dialects.spmd import StopOnErrorOp
from ..interface import state_arguments
from ..pass_base import fail, parent_block
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from .convert_kernel import lowered_type
from .convert_scan import extract, lower_scan


class HostLowering:
    """The host function being rewritten: each call gets the destinations of its results."""

    def __init__(self, function: FuncOp, kernels: dict[str, FuncOp]) -> None:
        self.function, self.kernels = function, kernels
        self.block = function.body.block
        self.slices: dict[SSAValue, tuple[SSAValue, SSAValue]] = {}
        """Call result in a loop -> the stack whose slice it becomes, and which one."""
        self.calls = [op for op in self.block.ops if isinstance(op, CallOp)]
        for argument in self.block.args:
            if lowered_type(argument.type) != argument.type:
                Rewriter.replace_value_with_new_type(argument, lowered_type(argument.type))
        self.homes = self._homes()
        for op in list(self.block.ops):
            self.convert(op)
        results = [lowered_type(t) for t in function.function_type.outputs]
        function.function_type = FunctionType.from_lists([a.type for a in self.block.args], results)

    def _homes(self) -> dict[SSAValue, SSAValue]:
        """Call result -> the state argument whose place it takes."""
        terminator = self.block.last_op
        assert isinstance(terminator, ReturnOp)
        homes: dict[SSAValue, SSAValue] = {}
        for index, argument in state_arguments(self.function).items():
            value = root(terminator.operands[index])
            if isinstance(value, OpResult):
                homes[value] = argument
            elif value is not argument:
                fail(terminator, f"result {index}, the new value of a state argument, is another one: copy it first")
        return homes

    def convert(self, op: Operation) -> None:
        """Rewrites one op of the host, or of a loop in it."""
        if isinstance(op, ReturnOp | StopOnErrorOp):
            return
        if isinstance(op, ScanOp):
            lower_scan(self, op)
            return
        if isinstance(op, ReshapeOp):
            self._reshape(op)
            return
        if not isinstance(op, CallOp) or op.callee.string_value() not in self.kernels:
            fail(
                op,
                "expected calls of kernels, hl.scan and hl.reshape in the host function, "
                f"got {op.name}; run group first",
            )
        kernel = self.kernels[op.callee.string_value()]
        destinations: list[SSAValue] = []
        count = len(op.arguments)
        for argument, attributes in zip(kernel.args[count:], list(kernel.arg_attrs or ())[count:]):
            out = attributes.data[OUT_ATTRIBUTE]
            assert isinstance(out, IntegerAttr)
            result = op.results[out.value.data]
            home = self.homes.get(result)
            if home is not None and home.type == argument.type:
                self._check_free(op, home)
                destinations.append(home)
                continue
            if result in self.slices:
                e = Emitter(Constants(self.function), parent_block(op), op, op.location)
                destinations.append(extract(e, *self.slices[result]))
                continue
            empty = tensor.EmptyOp.create(result_types=[argument.type], location=op.location)
            parent_block(op).insert_op_before(empty, op)
            empty.results[0].name_hint = result.name_hint
            destinations.append(empty.results[0])
        new = CallOp.create(
            operands=[*op.arguments, *destinations],
            result_types=[lowered_type(t) for t in op.result_types],
            properties={"callee": SymbolRefAttr(op.callee.string_value())},
            location=op.location,
        )
        self._replace(op, new)

    def _check_free(self, writer: Operation, home: SSAValue) -> None:
        position = self.calls.index(writer)  # pyright: ignore[reportArgumentType]
        for call in self.calls[position:]:
            if any(root(operand) is home for operand in call.operands if call.parent is not None):
                fail(call, "a state argument is read after its new value took its place; copy the new value instead")

    def _reshape(self, op: ReshapeOp) -> None:
        source, target = op.operands[0].type, lowered_type(op.results[0].type)
        shape = self._shape_constant(target.get_shape(), op)
        new = tensor.ReshapeOp.create(operands=[op.operands[0], shape], result_types=[target], location=op.location)
        del source
        self._replace(op, new)

    def _shape_constant(self, shape: tuple[int, ...], before: Operation) -> SSAValue:
        from xdsl.dialects.arith import ConstantOp as ArithConstantOp
        from xdsl.dialects.builtin import DenseIntOrFPElementsAttr

        type_ = TensorType(i64, [len(shape)])
        value = DenseIntOrFPElementsAttr.from_list(type_, list(shape))
        op = ArithConstantOp.create(properties={"value": value}, result_types=[type_], location=before.location)
        parent_block(before).insert_op_before(op, before)
        return op.results[0]

    def _replace(self, old: Operation, new: Operation) -> None:
        parent_block(old).insert_op_before(new, old)
        for before, after in zip(old.results, new.results):
            after.name_hint = before.name_hint
            for known in (self.homes, self.slices):
                if before in known:
                    known[after] = known[before]  # pyright: ignore
            before.replace_all_uses_with(after)
        if old in self.calls:
            self.calls[self.calls.index(old)] = new  # pyright: ignore
        old.detach()
        old.erase()


def root(value: SSAValue) -> SSAValue:
    """The value whose bytes a chain of reshapes shows."""
    while isinstance(value, OpResult) and isinstance(value.op, ReshapeOp | tensor.ReshapeOp):
        value = value.op.operands[0]
    return value
