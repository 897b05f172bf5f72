"""The body of a kernel: hl ops to linalg on tensors, in destination-passing form (`convert_hl.py` draws it)."""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    TensorType,
    i32,
    i64,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineMap

from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.shape import ConstantOp, IotaOp
from ...dialects.types import DType, TensorSpec, dtype_of_numpy, spec_of
from ..hl.index_maps import MAPS, index_map
from ..interface import OUT_ATTRIBUTE, TIED_ATTRIBUTE
from ..loops.build import Constants, Emitter
from ..pass_base import fail
from .lowering.extents import extent_operand, told_extents
from .lowering.scalar import SCALAR
from .lowering.structured import STRUCTURED, dense
from .lowering.views import Access, Splat, View, iota, splat_of

PARALLEL, REDUCTION = IteratorTypeAttr.parallel(), IteratorTypeAttr.reduction()
Body = Callable[[Emitter, Sequence[SSAValue], Sequence[SSAValue]], "list[SSAValue]"]


def lowered_type(type_: Attribute) -> TensorType:
    """The type of a tensor below hl, where integers have no sign."""
    spec = spec_of(type_)
    return TensorType(spec.dtype.lowered, spec.shape)


class Lowering:
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
        self.access: dict[SSAValue, Access] = {}
        self.destinations: dict[int, SSAValue] = {}
        arg_attrs: list[dict[str, Attribute]] = [{} for _ in self.block.args]
        for i, (old, new) in enumerate(zip(self.old.args, self.block.args)):
            new.name_hint = old.name_hint
            new.location = old.location
            self.access[old] = View(new, AffineMap.identity(len(spec_of(old.type).shape)))
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

    # What rules use

    def spec(self, value: SSAValue) -> TensorSpec:
        return spec_of(value.type)

    def type(self, spec: TensorSpec) -> TensorType:
        return TensorType(spec.dtype.lowered, spec.shape)

    def dtype_of(self, array: np.ndarray) -> DType:
        return dtype_of_numpy(array.dtype)

    def located(self, op: Operation) -> Operation:
        op.location = self.emitter.location
        return op

    def temporary(self, spec: TensorSpec) -> SSAValue:
        """A fresh tensor to write to."""
        return self.emitter.create(tensor.EmptyOp, [], [self.type(spec)]).results[0]

    def destination(self, value: SSAValue) -> SSAValue:
        """Where the kernel's caller wants a value, or a fresh tensor."""
        for j, result in enumerate(self.results):
            if result is value and j not in self.used_destinations:
                self.used_destinations.add(j)
                return self.destinations[j]
        return self.temporary(self.spec(value))

    def identity_out(self, value: SSAValue) -> tuple[SSAValue, AffineMap]:
        return self.destination(value), AffineMap.identity(len(self.spec(value).shape))

    def fill(self, destination: SSAValue, value: Splat) -> SSAValue:
        body = Block(arg_types=[value.dtype.lowered] * 2)
        scalar = value.scalar(self.emitter)
        inner = self.emitter.inside(body)
        inner.create(linalg.YieldOp, [body.args[0]])
        fill = self.emitter.create(
            linalg.FillOp,
            [scalar, destination],
            [destination.type],
            {"operandSegmentSizes": DenseArrayBase.from_list(i32, [1, 1])},
            regions=[Region(body)],
        )
        return fill.results[0]

    def generic(
        self,
        extents: Sequence[int],
        reads: Sequence[Access],
        writes: Sequence[tuple[SSAValue, AffineMap]],
        body: Body,
        reduced: Sequence[int] = (),
    ) -> list[SSAValue]:
        """A linalg.generic over `extents`; `body` gets a scalar for each read and each old value of a write.

        Where no operand tells how far a loop runs, one that is never read is added to tell.
        """
        if 0 in extents:
            return [destination for destination, _ in writes]
        views = [r for r in reads if isinstance(r, View)]
        told = told_extents([*((v.source, v.map) for v in views), *writes], len(extents))
        missing = [k for k, n in enumerate(extents) if told[k] != n]
        views.extend(
            View(*extent_operand(self.emitter, k, n, len(extents))) for k, n in enumerate(extents) if k in missing
        )
        sources = [*(v.source for v in views), *(w for w, _ in writes)]
        maps = [*(v.map for v in views), *(m for _, m in writes)]
        block = Block(arg_types=[cast(TensorType, source.type).element_type for source in sources])
        inner = self.emitter.inside(block)
        arguments = iter(block.args)
        values = [next(arguments) if isinstance(r, View) else r.scalar(inner) for r in reads]
        inner.create(linalg.YieldOp, body(inner, values, list(arguments)[len(missing) :]))
        iterators = [REDUCTION if k in reduced else PARALLEL for k in range(len(extents))]
        op = self.emitter.create(
            linalg.GenericOp,
            sources,
            [w.type for w, _ in writes],
            {
                "indexing_maps": ArrayAttr([AffineMapAttr(m) for m in maps]),
                "iterator_types": ArrayAttr(iterators),
                "operandSegmentSizes": DenseArrayBase.from_list(i32, [len(views), len(writes)]),
            },
            regions=[Region(block)],
        )
        return list(op.results)

    def copy(self, access: Access, destination: SSAValue, spec: TensorSpec) -> SSAValue:
        """The viewed values, stored in `destination`: nothing to do where they lie there already."""
        if access == View(destination, AffineMap.identity(len(spec.shape))):
            return destination
        write = (destination, AffineMap.identity(len(spec.shape)))
        return self.generic(spec.shape, [access], [write], lambda e, values, _: [values[0]])[0]

    def stored(self, access: Access, spec: TensorSpec) -> SSAValue:
        """A tensor that holds the viewed values in their own order."""
        whole = AffineMap.identity(len(spec.shape))
        if isinstance(access, View) and access.map == whole and access.source.type == self.type(spec):
            return access.source
        return self.copy(access, self.temporary(spec), spec)

    # One op

    def lower(self, op: HLOp) -> None:
        attributes = attributes_of(op)
        accesses = [self.access[operand] for operand in op.operands]
        if isinstance(op, ConstantOp):
            self.access[op.results[0]] = self._constant(attributes["value"], self.spec(op.results[0]))
            return
        if isinstance(op, IotaOp):
            self.access[op.results[0]] = iota(**attributes)
            return
        if type(op) in MAPS:
            self.access[op.results[0]] = accesses[0].through(index_map(op))
            return
        if type(op) in STRUCTURED:
            values = STRUCTURED[type(op)](self, op, *accesses, **attributes)
        elif type(op) in SCALAR:
            values = self._elementwise(op, accesses, attributes)
        else:
            fail(op, f"{op.name} has no lowering to linalg: it should have been decomposed, or been left to the host")
        for result, value in zip(op.results, values, strict=True):
            value.name_hint = result.name_hint
            self.access[result] = View(value, AffineMap.identity(len(self.spec(result).shape)))

    def _elementwise(self, op: HLOp, accesses: list[Access], attributes: dict[str, Any]) -> list[SSAValue]:
        rule, dtype = SCALAR[type(op)], self.spec(op.operands[0]).dtype
        extra = list(attributes.values())

        def body(e: Emitter, values: Sequence[SSAValue], _: Sequence[SSAValue]) -> list[SSAValue]:
            return [rule(e, dtype, *values, *extra)]

        return self.generic(self.spec(op.results[0]).shape, accesses, [self.identity_out(op.results[0])], body)

    def _constant(self, value: Any, spec: TensorSpec) -> Access:
        number = splat_of(value)
        if number is not None or 0 in spec.shape:
            return Splat(number if number is not None else 0, spec.dtype)
        return View(dense(self, value), AffineMap.identity(len(spec.shape)))

    def _stored_result(self, j: int, value: SSAValue) -> SSAValue:
        """Result `j` in its destination: as computed there, or copied."""
        access = self.access[value]
        written = j in self.used_destinations and self.results.index(value) == j
        if written and isinstance(access, View) and isinstance(access.source, OpResult):
            return access.source
        self.used_destinations.add(j)
        return self.copy(access, self.destinations[j], self.spec(value))


def _ties(kernel: FuncOp) -> dict[int, int]:
    """Argument -> the result that replaces it in place."""
    if kernel.arg_attrs is None:
        return {}
    entries = [attributes.data.get(TIED_ATTRIBUTE) for attributes in kernel.arg_attrs]
    return {i: entry.value.data for i, entry in enumerate(entries) if isinstance(entry, IntegerAttr)}
