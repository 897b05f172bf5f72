"""Programs of one op, kept in this process by op, attributes and the layout of operands.

run(op, tensors, …)      new memory with the results; operands and results stay on the device
gathered, placed         copies from and to places that lie apart

A program takes the same stages as a compiled step, so that another process finds its kernels by their content. Operands
are row-major memory at an aligned address. Where a tensor is a view, what is repeated is broadcast inside of the
program; what lies apart is copied first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...dialects.hl import HLOp
from ...dialects.types import TensorSpec, i64, tensor_type
from ...runtime.device_memory import Block, DeviceStorage, Heap
from ...runtime.storage import ALIGNMENT, Storage
from ..layout import is_contiguous, row_major
from .constants import number_at

if TYPE_CHECKING:
    from xdsl.ir import SSAValue

    from ...dialects.hl.builder import IRBuilder
    from ...runtime.backend import Call
    from ..tensor import Tensor

Body = Callable[["IRBuilder", "Sequence[SSAValue]"], "Sequence[SSAValue]"]
"""What a program computes of its arguments."""
Broadcast = tuple[tuple[int, ...], tuple[int, ...]]
"""A shape, and where in it the dimensions of an operand are."""

KEPT = 4096
"""Programs kept in this process."""

_calls: dict[Any, Call] = {}


def call_of(heap: Heap, key: Any, arguments: Sequence[TensorSpec], body: Body, state: bool = False) -> Call:
    """The program that computes `body`, its arguments first among its pointers, then its results. With `state` the
    only result is written over the first argument."""
    key = (heap.driver.target, key, *arguments)
    found = _calls.get(key)
    if found is None:
        if len(_calls) >= KEPT:
            del _calls[next(iter(_calls))]
        found = _calls[key] = _compiled(heap.driver.target, arguments, body, state)
    return found


def _compiled(target: str, arguments: Sequence[TensorSpec], body: Body, state: bool) -> Call:
    from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, ModuleOp
    from xdsl.dialects.builtin import i64 as number
    from xdsl.dialects.func import FuncOp, ReturnOp
    from xdsl.ir import Block as IRBlock
    from xdsl.ir import Region as IRRegion

    from ...dialects.hl.builder import IRBuilder
    from ...dialects.marks import RESULT_ATTRIBUTE
    from ...runtime.compiler import compile_module

    block = IRBlock(arg_types=[tensor_type(spec) for spec in arguments])
    results = body(IRBuilder(block), block.args)
    block.add_op(ReturnOp(*results))
    function = FuncOp("op", (block.arg_types, [r.type for r in results]), IRRegion(block))
    if state:
        mark = DictionaryAttr({RESULT_ATTRIBUTE: IntegerAttr(0, number)})
        function.arg_attrs = ArrayAttr([mark, *[DictionaryAttr({})] * (len(arguments) - 1)])
    return compile_module(ModuleOp([function]), target).bind()


# Operands


class Operand:
    """An operand where a program can read it: row-major, at an aligned address."""

    __slots__ = ("address", "broadcast", "keeps", "spec")

    def __init__(self, address: int, spec: TensorSpec, broadcast: Broadcast | None, keeps: Any) -> None:
        self.address = address
        self.spec = spec
        self.broadcast = broadcast
        self.keeps = keeps
        """What the memory goes with."""


def operand(t: Tensor, heap: Heap) -> Operand:
    """A tensor as a program reads it. Numbers on the host, which may stand beside tensors of any device, are sent."""
    storage, view = t._storage, t._view
    if not isinstance(storage, DeviceStorage):
        return _from_host(t, heap)
    if view is None:
        return Operand(storage.address, t._spec, None, storage)
    strides, offset = view.layout
    shape, dtype = t._spec
    kept = [d for d, n in enumerate(shape) if n == 1 or strides[d] != 0] if 0 not in shape else range(len(shape))
    spec, broadcast = t._spec, None
    if len(kept) != len(shape):
        spec, broadcast = TensorSpec(tuple([shape[d] for d in kept]), dtype), (shape, tuple(kept))
        strides = tuple([strides[d] for d in kept])
    if is_contiguous(spec.shape, strides):
        address = storage.address + offset * dtype.itemsize
        if address % ALIGNMENT == 0:
            return Operand(address, spec, broadcast, storage)
        block = heap.block(math.prod(spec.shape) * dtype.itemsize)
        heap.copy(block.address, address, math.prod(spec.shape) * dtype.itemsize)
    else:
        block = gathered(storage, spec, strides, offset)
    return Operand(block.address, spec, broadcast, block)


def _from_host(t: Tensor, heap: Heap) -> Operand:
    storage, spec = t._storage, t._spec
    if not storage.spec.shape:
        sent = number_at(heap, storage)
        return Operand(sent.address, storage.spec, (spec.shape, ()) if spec.shape else None, sent)
    array = storage.array if t._view is None else t._view.array(storage.array)
    block = heap.block(array.nbytes)
    heap.write(block.address, array)
    return Operand(block.address, spec, None, block)


# Ops


def run(
    heap: Heap,
    op: type[HLOp],
    tensors: Sequence[Tensor],
    attributes: Mapping[str, Any],
    specs: Sequence[TensorSpec],
) -> list[Storage]:
    """The results of an op, in memory of their own."""
    operands = [operand(t, heap) for t in tensors]
    outputs = [heap.block(math.prod(spec.shape) * spec.dtype.itemsize) for spec in specs]
    if any(0 not in spec.shape for spec in specs):
        broadcasts = [o.broadcast for o in operands]

        def body(b: IRBuilder, arguments: Sequence[SSAValue]) -> Sequence[SSAValue]:
            given = [x if how is None else b.broadcast(x, *how) for x, how in zip(arguments, broadcasts)]
            return b.emit(op, given, attributes)

        key = (op, *map(exactly, attributes.values()), *broadcasts)
        call = call_of(heap, key, [o.spec for o in operands], body)
        call.run(list(enumerate([o.address for o in operands] + [block.address for block in outputs])))
    return [DeviceStorage(block, spec) for block, spec in zip(outputs, specs)]


def exactly(value: Any) -> Any:
    """What tells an attribute from all others: 0.0 and -0.0, or 1 and True, are equal."""
    return value.hex() if isinstance(value, float) else (type(value), value)


# Copies from and to places that lie apart


def gathered(storage: DeviceStorage, spec: TensorSpec, strides: Sequence[int], offset: int) -> Block:
    """The elements at offset + Σ i·stride of a storage, row by row."""
    heap, shape, dtype = storage.block.heap, spec.shape, spec.dtype
    block = heap.block(math.prod(shape) * dtype.itemsize)
    size = math.prod(storage.spec.shape)

    def body(b: IRBuilder, arguments: Sequence[SSAValue]) -> Sequence[SSAValue]:
        flat, start = arguments
        place = b.broadcast(start, shape, ())
        for d, stride in enumerate(strides):
            step = b.constant(stride, shape, i64)
            place = b.add(place, b.mul(b.iota(shape, i64, d), step))
        return [b.gather(flat, place, 0)]

    if 0 not in shape:
        start = number_at(heap, offset)
        call = call_of(heap, ("gathered", tuple(strides), spec), [TensorSpec((size,), dtype), START], body)
        call.run([(0, storage.address), (1, start.address), (2, block.address)])
    return block


START = TensorSpec((), i64)


def placed(storage: DeviceStorage, strides: Sequence[int], offset: int, new: Operand) -> None:
    """Writes row-major elements to offset + Σ i·stride of a storage. Each element of the storage asks whether it is one
    of these, which is division by the strides, largest first."""
    heap, spec = storage.block.heap, new.spec
    size, dtype = math.prod(storage.spec.shape), spec.dtype
    inner = row_major(spec.shape)
    order = sorted((d for d, n in enumerate(spec.shape) if n > 1), key=lambda d: -strides[d])

    def body(b: IRBuilder, arguments: Sequence[SSAValue]) -> Sequence[SSAValue]:
        flat, start, values = arguments
        many = (size,)
        number = {n: b.constant(n, many, i64) for n in {0, *strides, *spec.shape, *inner}}
        rest = b.sub(b.iota(many, i64, 0), b.broadcast(start, many, ()))
        inside = b.compare("ge", rest, number[0])
        source = number[0]
        for d in order:
            index = b.floor_div(rest, number[strides[d]])
            index = b.minimum(b.maximum(index, number[0]), b.constant(spec.shape[d] - 1, many, i64))
            rest = b.sub(rest, b.mul(index, number[strides[d]]))
            source = b.add(source, b.mul(index, number[inner[d]]))
        inside = b.bitwise_and(inside, b.compare("eq", rest, number[0]))
        return [b.select(inside, b.gather(b.reshape(values, (math.prod(spec.shape),)), source, 0), flat)]

    if 0 not in spec.shape:
        start = number_at(heap, offset)
        key = ("placed", tuple(strides))
        call = call_of(heap, key, [TensorSpec((size,), dtype), START, spec], body, state=True)
        call.run([(0, storage.address), (1, start.address), (2, new.address)])


__all__ = ["Operand", "call_of", "gathered", "operand", "placed", "run"]
