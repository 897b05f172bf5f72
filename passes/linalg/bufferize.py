"""Tensors become buffers: kernels write to the destinations they are given, the host owns every intermediate.

    @k(%x: tensor, %out: tensor {irtool.out}) -> tensor    @k(%x: memref, %out: memref {irtool.out})
      %0 = linalg.generic ins(%x) outs(%out) { … }       ->  linalg.generic ins(%x) outs(%out) { … }
      return %0                                              return

    %e = tensor.empty()                                    %e = memref.alloc()
    %h = func.call @k(%x, %e)                              func.call @k(%x, %e)
    return %h, %w2                                         (%h written to an argument %out of the host's)

Destination-passing makes this a renaming: the buffer of a result is the buffer of its destination. Each use of a
`tensor.empty` as a destination is a buffer of its own. In a kernel, old contents of an argument that are read after the
argument was updated in place are saved first.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, memref, scf, tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    SymbolRefAttr,
    i32,
    i64,
)
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType, IteratorTypeAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from ...dialects.linalgx import DestinationOp
from ...dialects.marks import KERNEL_ATTRIBUTE, OUT_ATTRIBUTE
from ...dialects.spmd import StopOnErrorOp
from ...dialects.types import is_tensor, tensor_of
from ..interface import check_static, state_arguments
from ..pass_base import fail, functions, parent_block
from ..utils.constants import memref_type
from ..utils.emitter import Emitter
from .bufferize_loop import bufferize_loop
from .convert_host import root

DESTINATION_STYLE = (linalg.GenericOp, linalg.FillOp, DestinationOp)


def buffer_type(type_: Attribute) -> MemRefType:
    """The buffer that holds a tensor."""
    assert is_tensor(type_)
    return memref_type(type_.element_type, tuple(type_.get_shape()))


class KernelBufferization:
    """One kernel being rewritten in place."""

    def __init__(self, function: FuncOp) -> None:
        self.block = function.body.block
        self.buffers: dict[SSAValue, SSAValue] = {}
        self._save_old_contents(function)
        for argument in list(self.block.args):
            new = Rewriter.replace_value_with_new_type(argument, buffer_type(argument.type))
            self.buffers[new] = new
        for op in list(self.block.ops):
            self._convert(op)
        function.function_type = FunctionType.from_lists([a.type for a in self.block.args], [])

    def _save_old_contents(self, function: FuncOp) -> None:
        """Copies an argument that an op reads after it was written to, or at other places than it writes itself."""
        for argument, attributes in zip(self.block.args, function.arg_attrs or ()):
            if OUT_ATTRIBUTE not in attributes.data:
                continue
            readers = {use.operation for use in argument.uses}
            order = [op for op in self.block.ops if op in readers or any(inner in readers for inner in _nested(op))]
            first = next((i for i, op in enumerate(order) if _writes(op, argument)), None)
            if first is None:
                continue
            late = [op for i, op in enumerate(order[first:]) if i or not _reads_where_it_writes(op, argument)]
            reads = [
                (inner, index)
                for op in late
                for inner in (op, *_nested(op))
                for index, operand in enumerate(inner.operands)
                if operand is argument and not (_writes(inner, argument) and index >= len(inner.inputs))  # pyright: ignore
            ]
            if reads:
                saved = self._copy(argument)
                for op, index in reads:
                    op.operands[index] = saved

    def _copy(self, argument: SSAValue) -> SSAValue:
        """The contents of an argument on entry."""
        assert is_tensor(argument.type)
        e = Emitter(None, self.block, self.block.first_op)  # pyright: ignore[reportArgumentType]
        empty = e.create(tensor.EmptyOp, [], [argument.type]).results[0]
        body = Block(arg_types=[argument.type.element_type] * 2)
        e.inside(body).create(linalg.YieldOp, [body.args[0]])
        identity = AffineMapAttr(AffineMap.identity(len(argument.type.get_shape())))
        return e.create(
            linalg.GenericOp,
            [argument, empty],
            [argument.type],
            {
                "indexing_maps": ArrayAttr([identity, identity]),
                "iterator_types": ArrayAttr([IteratorTypeAttr.parallel()] * len(argument.type.get_shape())),
                "operandSegmentSizes": DenseArrayBase.from_list(i32, [1, 1]),
            },
            regions=[Region(body)],
        ).results[0]

    def _buffer(self, value: SSAValue, user: Operation) -> SSAValue:
        """The buffer of a value; a tensor.empty is a new one at each use."""
        if isinstance(value.owner, tensor.EmptyOp):
            alloc = _alloc(value, user)
            self.block.insert_op_before(alloc, user)
            return alloc.results[0]
        return self.buffers.get(value, value)

    def _convert(self, op: Operation) -> None:
        if isinstance(op, ReturnOp):
            end = ReturnOp.create(location=op.location)
            Rewriter.replace_op(op, end, [])
            self._drop_empties()
        elif isinstance(op, tensor.FromElementsOp):
            self._from_elements(op)
        elif isinstance(op, DESTINATION_STYLE):
            self._destination_style(op)
        elif not isinstance(op, tensor.EmptyOp | arith.ConstantOp):
            fail(op, f"{op.name} has no form on buffers")

    def _destination_style(self, op: Operation) -> None:
        operands = [self._buffer(v, op) if is_tensor(v.type) else v for v in op.operands]
        outputs = operands[len(operands) - len(op.results) :]
        for region in op.regions:
            for inner in list(region.block.ops):
                if isinstance(inner, tensor.ExtractOp):
                    self._extract(inner)
        new = op.create(
            operands=operands,
            properties=op.properties,
            attributes=op.attributes,
            regions=[op.detach_region(region) for region in list(op.regions)],
            location=op.location,
        )
        self.block.insert_op_before(new, op)
        for result, buffer in zip(op.results, outputs):
            if buffer.name_hint is None:
                buffer.name_hint = result.name_hint
            self.buffers[buffer] = buffer
            result.replace_all_uses_with(buffer)
        op.detach()
        op.erase()

    def _extract(self, op: tensor.ExtractOp) -> None:
        source = self.buffers.get(op.operands[0], op.operands[0])
        load = memref.LoadOp.create(
            operands=[source, *op.operands[1:]], result_types=[op.results[0].type], location=op.location
        )
        Rewriter.replace_op(op, load)

    def _from_elements(self, op: tensor.FromElementsOp) -> None:
        shape = tensor_of(op.results[0]).get_shape()
        alloc = _alloc(op.results[0], op)
        self.block.insert_op_before(alloc, op)
        e = Emitter(None, self.block, op, op.location)  # pyright: ignore[reportArgumentType]
        from ..utils.constants import INDEX

        constants: dict[int, SSAValue] = {}

        def index(value: int) -> SSAValue:
            if value not in constants:
                constants[value] = e.create(
                    arith.ConstantOp, [], [INDEX], {"value": IntegerAttr(value, INDEX)}
                ).results[0]
            return constants[value]

        for number, value in enumerate(op.operands):
            at: list[int] = []
            for extent in reversed(shape):
                at.insert(0, number % extent)
                number //= extent
            e.store(value, alloc.results[0], [index(k) for k in at])
        self.buffers[alloc.results[0]] = alloc.results[0]
        op.results[0].replace_all_uses_with(alloc.results[0])
        op.detach()
        op.erase()

    def _drop_empties(self) -> None:
        for op in list(self.block.ops):
            if isinstance(op, tensor.EmptyOp):
                op.detach()
                op.erase()


def _nested(op: Operation) -> list[Operation]:
    return [inner for region in op.regions for block in region.blocks for inner in block.ops]


def _writes(op: Operation, argument: SSAValue) -> bool:
    return isinstance(op, DESTINATION_STYLE) and argument in op.outputs


def _reads_where_it_writes(op: Operation, argument: SSAValue) -> bool:
    """Whether each index of an op that writes to `argument` reads it, if at all, at the element that it writes."""
    if not isinstance(op, linalg.GenericOp) or any(argument in inner.operands for inner in _nested(op)):
        return argument not in getattr(op, "inputs", ())
    maps = [attribute.data for attribute in op.indexing_maps]
    written = maps[len(op.inputs) + list(op.outputs).index(argument)]
    parallel = all(kind.data is IteratorType.PARALLEL for kind in op.iterator_types)
    return all(parallel and map_ == written for value, map_ in zip(op.inputs, maps) if value is argument)


def _alloc(value: SSAValue, user: Operation) -> memref.AllocOp:
    alloc = memref.AllocOp.create(
        result_types=[buffer_type(value.type)],
        properties={"operandSegmentSizes": DenseArrayBase.from_list(i32, [0, 0]), "alignment": IntegerAttr(64, i64)},
        location=user.location,
    )
    alloc.results[0].name_hint = value.name_hint
    return alloc


class HostBufferization:
    """The host function being rewritten: results move into arguments, destinations into buffers."""

    def __init__(self, function: FuncOp, kernels: dict[str, FuncOp]) -> None:
        self.function, self.kernels = function, kernels
        self.block = function.body.block
        terminator = self.block.last_op
        assert isinstance(terminator, ReturnOp)
        targets = state_arguments(function)
        given = function.arg_attrs or [DictionaryAttr({}) for _ in self.block.args]
        arg_attrs = [dict(entry.data) for entry in given]
        returned = [(index, value) for index, value in enumerate(terminator.operands) if index not in targets]
        for argument in list(self.block.args):
            Rewriter.replace_value_with_new_type(argument, buffer_type(argument.type))
        self.homes: dict[SSAValue, SSAValue] = {}
        for index, value in returned:
            argument = self.block.insert_arg(buffer_type(value.type), len(self.block.args))
            argument.name_hint = value.name_hint or "out"
            argument.location = value.owner.location if isinstance(value.owner, Operation) else terminator.location
            arg_attrs.append({OUT_ATTRIBUTE: IntegerAttr(index, i64)})
            destination = self.destination(root(value), terminator)
            self.homes[destination] = argument
        for op in list(self.block.ops):
            self.convert(op)
        function.function_type = FunctionType.from_lists([a.type for a in self.block.args], [])
        function.arg_attrs = ArrayAttr([DictionaryAttr(entry) for entry in arg_attrs])

    def destination(self, value: SSAValue, terminator: Operation) -> SSAValue:
        """The tensor.empty that a call's result is written to."""
        call = value.owner
        if isinstance(call, CallOp):
            kernel = self.kernels[call.callee.string_value()]
            for operand, attributes in zip(call.arguments, kernel.arg_attrs or ()):
                out = attributes.data.get(OUT_ATTRIBUTE)
                made_here = isinstance(operand.owner, tensor.EmptyOp) and operand not in self.homes
                if made_here and out is not None and out.value.data == value.index:  # pyright: ignore
                    return operand
        fail(terminator, "a result that is no state needs a buffer of its own: copy it first")

    def convert(self, op: Operation) -> None:
        """Rewrites one op of the host, or of a loop in it."""
        if isinstance(op, tensor.EmptyOp):
            self._empty(op)
        elif isinstance(op, CallOp):
            self._call(op)
        elif isinstance(op, tensor.ReshapeOp):
            self._reshape(op)
        elif isinstance(op, ReturnOp):
            Rewriter.replace_op(op, ReturnOp.create(location=op.location), [])
        elif isinstance(op, arith.ConstantOp):
            if op.result.first_use is None:
                op.detach()
                op.erase()
        elif isinstance(op, scf.ForOp):
            bufferize_loop(self, op)
        elif not isinstance(op, arith.SubiOp | StopOnErrorOp):
            fail(op, f"{op.name} has no form on buffers in a host function")

    def _empty(self, op: tensor.EmptyOp) -> None:
        home = self.homes.get(op.results[0])
        if home is None:
            alloc = _alloc(op.results[0], op)
            parent_block(op).insert_op_before(alloc, op)
            value = alloc.results[0]
        else:
            value = home if home.type == buffer_type(op.results[0].type) else self._view(home, op.results[0].type, op)
        op.results[0].replace_all_uses_with(value)
        op.detach()
        op.erase()

    def _call(self, op: CallOp) -> None:
        kernel = self.kernels[op.callee.string_value()]
        new = CallOp.create(
            operands=op.arguments, properties={"callee": SymbolRefAttr(op.callee.string_value())}, location=op.location
        )
        parent_block(op).insert_op_before(new, op)
        for operand, attributes in zip(op.arguments, kernel.arg_attrs or ()):
            out = attributes.data.get(OUT_ATTRIBUTE)
            if out is not None:
                assert isinstance(out, IntegerAttr)
                result = op.results[out.value.data]
                if operand.name_hint is None:
                    operand.name_hint = result.name_hint
                result.replace_all_uses_with(operand)
        op.detach()
        op.erase()

    def _reshape(self, op: tensor.ReshapeOp) -> None:
        shape = op.operands[1].owner
        value = self._view(op.operands[0], op.results[0].type, op)
        op.results[0].replace_all_uses_with(value)
        op.detach()
        op.erase()
        if isinstance(shape, Operation) and shape.results[0].first_use is None:
            shape.detach()
            shape.erase()

    def _view(self, buffer: SSAValue, type_: Attribute, before: Operation) -> SSAValue:
        """The same bytes in another shape."""
        target = buffer_type(type_)
        view = memref.ReinterpretCastOp.from_dynamic(
            buffer, [0], list(target.get_shape()), _strides(target.get_shape()), target
        )
        view.location = before.location
        view.results[0].name_hint = buffer.name_hint
        parent_block(before).insert_op_before(view, before)
        return view.results[0]


def _strides(shape: tuple[int, ...]) -> list[int]:
    strides: list[int] = []
    size = 1
    for extent in reversed(shape):
        strides.insert(0, size)
        size *= extent
    return strides


@dataclass(frozen=True)
class Bufferize(ModulePass):
    """See the module's text."""

    name = "bufferize"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_static(op)
        kernels = {f.sym_name.data: f for f in functions(op) if KERNEL_ATTRIBUTE in f.attributes}
        for function in functions(op):
            if function.sym_name.data not in kernels:
                HostBufferization(function, kernels)
        for kernel in kernels.values():
            KernelBufferization(kernel)
