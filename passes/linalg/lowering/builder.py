"""What rules build a kernel with: destinations, fills, copies and `linalg.generic`s over views of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, DenseArrayBase, TensorType, i32
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap

from ....dialects.linalg_rules import told_extents
from ....dialects.types import DType, TensorSpec, dtype_of_numpy, spec_of
from ...utils.emitter import Emitter
from .extents import extent_operand
from .views import MappedValue, Operand, Splat

PARALLEL, REDUCTION = IteratorTypeAttr.parallel(), IteratorTypeAttr.reduction()
Body = Callable[[Emitter, Sequence[SSAValue], Sequence[SSAValue]], "list[SSAValue]"]


class KernelBuilder:
    """The kernel being written, and where its caller wants its results."""

    emitter: Emitter
    results: list[SSAValue]
    destinations: dict[int, SSAValue]
    used_destinations: set[int]

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
        reads: Sequence[Operand],
        writes: Sequence[tuple[SSAValue, AffineMap]],
        body: Body,
        reduced: Sequence[int] = (),
    ) -> list[SSAValue]:
        """A linalg.generic over `extents`; `body` gets a scalar for each read and each old value of a write.

        Where no operand tells how far a loop runs, one that is never read is added to tell.
        """
        if 0 in extents:
            return [destination for destination, _ in writes]
        views = [r for r in reads if isinstance(r, MappedValue)]
        told = told_extents([*((v.source, v.map) for v in views), *writes], len(extents))
        missing = [k for k, n in enumerate(extents) if told[k] != n]
        views.extend(
            MappedValue(*extent_operand(self.emitter, k, n, len(extents)))
            for k, n in enumerate(extents)
            if k in missing
        )
        sources = [*(v.source for v in views), *(w for w, _ in writes)]
        maps = [*(v.map for v in views), *(m for _, m in writes)]
        block = Block(arg_types=[cast(TensorType, source.type).element_type for source in sources])
        inner = self.emitter.inside(block)
        arguments = iter(block.args)
        values = [next(arguments) if isinstance(r, MappedValue) else r.scalar(inner) for r in reads]
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

    def copy(self, operand: Operand, destination: SSAValue, spec: TensorSpec) -> SSAValue:
        """The viewed values, stored in `destination`: nothing to do where they lie there already."""
        if operand == MappedValue(destination, AffineMap.identity(len(spec.shape))):
            return destination
        write = (destination, AffineMap.identity(len(spec.shape)))
        return self.generic(spec.shape, [operand], [write], lambda e, values, _: [values[0]])[0]

    def stored(self, operand: Operand, spec: TensorSpec) -> SSAValue:
        """A tensor that holds the viewed values in their own order."""
        whole = AffineMap.identity(len(spec.shape))
        if isinstance(operand, MappedValue) and operand.map == whole and operand.source.type == self.type(spec):
            return operand.source
        return self.copy(operand, self.temporary(spec), spec)
