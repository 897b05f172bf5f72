"""The body of a kernel: hl ops to linalg on tensors, in destination-passing form (`convert_hl.py` draws it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    TensorType,
    i64,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, OpResult, SSAValue
from xdsl.ir.affine import AffineMap

from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.shape import ConstantOp, IotaOp
from ...dialects.marks import OUT_ATTRIBUTE, TIED_ATTRIBUTE
from ...dialects.types import TensorSpec, spec_of
from ..hl.index_maps import MAPS, index_map
from ..pass_base import fail
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from .lowering.builder import KernelBuilder
from .lowering.scalar import SCALAR
from .lowering.structured import STRUCTURED, dense
from .lowering.views import MappedValue, Operand, Splat, iota, splat_of


def lowered_type(type_: Attribute) -> TensorType:
    """The type of a tensor below hl, where integers have no sign."""
    spec = spec_of(type_)
    return TensorType(spec.dtype.lowered, spec.shape)


class KernelLowering(KernelBuilder):
    """One kernel being rewritten: what each hl value has become."""

    def __init__(self, kernel: FuncOp) -> None:
        self.old = kernel.body.block
        terminator = self.old.last_op
        assert isinstance(terminator, ReturnOp)
        self.results = list(terminator.operands)
        inputs = [lowered_type(a.type) for a in self.old.args]
        outputs = [lowered_type(v.type) for v in self.results]
        ties = _ties(kernel)
        fresh = [j for j in range(len(outputs)) if j not in ties.values()]
        self.block = Block(arg_types=[*inputs, *(outputs[j] for j in fresh)])
        self.operand_of: dict[SSAValue, Operand] = {}
        self.destinations: dict[int, SSAValue] = {}
        arg_attrs: list[dict[str, Attribute]] = [{} for _ in self.block.args]
        for i, (old, new) in enumerate(zip(self.old.args, self.block.args)):
            new.name_hint = old.name_hint
            new.location = old.location
            self.operand_of[old] = MappedValue(new, AffineMap.identity(len(spec_of(old.type).shape)))
            if i in ties:
                self.destinations[ties[i]] = new
                arg_attrs[i][OUT_ATTRIBUTE] = IntegerAttr(ties[i], i64)
        for position, j in enumerate(fresh, len(inputs)):
            argument = self.block.args[position]
            argument.name_hint = self.results[j].name_hint or "out"
            self.destinations[j] = argument
            arg_attrs[position][OUT_ATTRIBUTE] = IntegerAttr(j, i64)
        self.used_destinations: set[int] = set()
        kernel.body.add_block(self.block)
        self.constants = Constants(self.block)
        self.emitter = Emitter(self.constants, self.block)
        for op in self.old.ops:
            if isinstance(op, HLOp):
                self.emitter.location = op.location
                self.lower(op)
            elif op is not terminator:
                fail(op, f"{op.name}: expected hl ops in a kernel")
        self.emitter.location = terminator.location
        values = [self._stored_result(j, value) for j, value in enumerate(self.results)]
        self.emitter.insert(ReturnOp(*values))
        kernel.body.detach_block(self.old)
        for op in reversed(list(self.old.ops)):
            op.detach()
            op.erase(safe_erase=False)
        kernel.function_type = FunctionType.from_lists([a.type for a in self.block.args], outputs)
        kernel.arg_attrs = ArrayAttr([DictionaryAttr(entry) for entry in arg_attrs])

    # One op

    def lower(self, op: HLOp) -> None:
        attributes = attributes_of(op)
        operands = [self.operand_of[operand] for operand in op.operands]
        if isinstance(op, ConstantOp):
            self.operand_of[op.results[0]] = self._constant(attributes["value"], self.spec(op.results[0]))
            return
        if isinstance(op, IotaOp):
            self.operand_of[op.results[0]] = iota(**attributes)
            return
        if type(op) in MAPS:
            self.operand_of[op.results[0]] = operands[0].through(index_map(op))
            return
        if type(op) in STRUCTURED:
            values = STRUCTURED[type(op)](self, op, *operands, **attributes)
        elif type(op) in SCALAR:
            values = self._elementwise(op, operands, attributes)
        else:
            fail(op, f"{op.name} has no lowering to linalg: it should have been decomposed, or been left to the host")
        for result, value in zip(op.results, values, strict=True):
            value.name_hint = result.name_hint
            self.operand_of[result] = MappedValue(value, AffineMap.identity(len(self.spec(result).shape)))

    def _elementwise(self, op: HLOp, operands: list[Operand], attributes: dict[str, Any]) -> list[SSAValue]:
        rule, dtype = SCALAR[type(op)], self.spec(op.operands[0]).dtype
        extra = list(attributes.values())

        def body(e: Emitter, values: Sequence[SSAValue], _: Sequence[SSAValue]) -> list[SSAValue]:
            return [rule(e, dtype, *values, *extra)]

        return self.generic(self.spec(op.results[0]).shape, operands, [self.identity_out(op.results[0])], body)

    def _constant(self, value: Any, spec: TensorSpec) -> Operand:
        number = splat_of(value)
        if number is not None or 0 in spec.shape:
            return Splat(number if number is not None else 0, spec.dtype)
        return MappedValue(dense(self, value), AffineMap.identity(len(spec.shape)))

    def _stored_result(self, j: int, value: SSAValue) -> SSAValue:
        """Result `j` in its destination: as computed there, or copied."""
        operand = self.operand_of[value]
        written = j in self.used_destinations and self.results.index(value) == j
        if written and isinstance(operand, MappedValue) and isinstance(operand.source, OpResult):
            return operand.source
        self.used_destinations.add(j)
        return self.copy(operand, self.destinations[j], self.spec(value))


def _ties(kernel: FuncOp) -> dict[int, int]:
    """Argument -> the result that replaces it in place."""
    if kernel.arg_attrs is None:
        return {}
    entries = [attributes.data.get(TIED_ATTRIBUTE) for attributes in kernel.arg_attrs]
    return {i: entry.value.data for i, entry in enumerate(entries) if isinstance(entry, IntegerAttr)}
