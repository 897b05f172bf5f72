"""Memory in C: loads, stores, local arrays, views of one buffer as another."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from xdsl.dialects import func, memref, vector
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    BoolAttr,
    DenseArrayBase,
    FixedBitwidthType,
    IntegerType,
    VectorType,
    i8,
)
from xdsl.ir import Attribute, Operation, SSAValue

from ..dialects import bounds, spmd, vectorx
from ..dialects.locations import file_and_line
from ..dialects.types import element_of, is_memref, is_vector, memref_of
from .control import assignment
from .expr import MULTIPLY, CExpr, call
from .printer import Printer, Rule, comment_text
from .types import CodegenError, c_type, is_mask, strides_of

LARGEST_LOCAL = 1 << 20
"""Bytes; stacks of threads are small."""


def _indices(p: Printer, op: Any) -> list[CExpr]:
    return [p.use(i) for i in op.indices]


def print_load(p: Printer, op: memref.LoadOp) -> None:
    """`x[i][j]`."""
    element = p.arrays[op.memref].subscript(_indices(p, op))
    element.reads = True
    p.define(op.res, element)


def print_store(p: Printer, op: memref.StoreOp) -> None:
    """`x[i][j] = value;`."""
    value = p.vector(op.value)
    target = p.arrays[op.memref].subscript(_indices(p, op))
    p.effect(assignment(target.text, value))


def _access(kind: str, type_: Attribute, address: CExpr, *more: CExpr) -> CExpr:
    suffix = "bool_" if is_mask(type_) else ""
    return call(f"{kind}_{suffix}{c_type(type_)}", address, *more)


def print_vector_load(p: Printer, op: vector.LoadOp) -> None:
    """`load_v16f(&x[i][j])`, at any alignment."""
    loaded = _access("load", op.result.type, p.arrays[op.base].address(_indices(p, op)))
    loaded.reads = True
    p.define(op.result, loaded)


def print_vector_store(p: Printer, op: vector.StoreOp) -> None:
    """`store_v16f(&x[i][j], value);`."""
    value = p.vector(op.vector)
    p.effect(f"{_access('store', op.vector.type, p.arrays[op.base].address(_indices(p, op)), value).text};")


def print_masked_load(p: Printer, op: vector.MaskedLoadOp) -> None:
    """Lanes that are off are not read."""
    _no_masked_bools(op.result.type)
    address = p.arrays[op.base].address(_indices(p, op))
    loaded = _access("masked_load", op.result.type, address, p.vector(op.mask), p.vector(op.pass_thru))
    loaded.reads = True
    p.define(op.result, loaded)


def print_masked_store(p: Printer, op: vector.MaskedStoreOp) -> None:
    """Lanes that are off are not written."""
    type_ = op.value_to_store.type
    _no_masked_bools(type_)
    mask, value = p.vector(op.mask), p.vector(op.value_to_store)
    address = p.arrays[op.base].address(_indices(p, op))
    p.effect(f"{_access('masked_store', type_, address, mask, value).text};")


def _no_masked_bools(type_: Attribute) -> None:
    if is_mask(type_):
        raise CodegenError(f"no C for masked access to {type_}")


def print_prefetch(p: Printer, op: spmd.PrefetchOp) -> None:
    """A hint, with no effect on results: `prefetch(x, (i + 8) * 784 * sizeof(float));`. The address may lie behind the
    buffer, where C has no subscripts."""
    write = op.properties.get("write")
    name = "prefetch_to_write" if write is not None and write != BoolAttr.from_bool(False) else "prefetch"
    source = p.arrays[op.memref]
    offset = source.offset(_indices(p, op))
    p.line(f"{name}({source.pointer_text}, {offset.within(MULTIPLY)} * sizeof({source.element}));")


def print_check(p: Printer, op: bounds.CheckOp) -> None:
    """`check_index(k, 8, "f.mlir:6: error: memref.store: dimension 0 of memref<8xf32>");`"""
    place = file_and_line(op.location)
    where = f"{place[0]}:{place[1]}: " if place else ""
    text = comment_text(f"{where}error: {op.what.data}").replace("\\", "\\\\").replace('"', '\\"')
    p.effect(f'check_index({p.use(op.index).text}, {op.limit.value.data}, "{text}");')


def print_transpose(p: Printer, op: vectorx.TransposeOp) -> None:
    """`transpose_v16f(&x[i][j], 64, &y[k][l], 32, rows, columns);`."""
    element_type = memref_of(op.source).element_type
    name = f"transpose_{c_type(VectorType(element_type, [op.lanes.value.data]))}"
    source = p.arrays[op.source].address([p.use(i) for i in op.indices])
    target = p.arrays[op.target].address([p.use(i) for i in op.target_indices])
    step, to_step = (CExpr(str(n.value.data), constant=True) for n in (op.step, op.to_step))
    p.effect(f"{call(name, source, step, target, to_step, p.use(op.rows), p.use(op.columns)).text};")


def print_alloca(p: Printer, op: memref.AllocaOp) -> None:
    """A local array; of rank 0, a variable."""
    type_ = op.memref.type
    shape = type_.get_shape()
    if DYNAMIC_INDEX in shape:
        raise CodegenError(f"no C for memref.alloca of {type_}: local arrays have a fixed size")
    if prod(shape) * element_bytes(type_.element_type) > LARGEST_LOCAL:
        raise CodegenError(f"no C for memref.alloca of {type_}: local arrays have at most {LARGEST_LOCAL} bytes")
    if op.memref.first_use is None:
        return
    made = p.add_array(op.memref, variable=not shape)
    align = f" __attribute__((aligned({op.alignment.value.data})))" if op.alignment is not None else ""
    p.line(f"{made.element} {made.name}{''.join(f'[{n}]' for n in shape)}{align};")


def element_bytes(type_: Attribute) -> int:
    """Bytes of an element of a buffer: a number, or a vector of them."""
    scalar = element_of(type_)
    bits = scalar.bitwidth if isinstance(scalar, FixedBitwidthType) else 64
    return -(-bits // 8) * (prod(type_.get_shape()) if is_vector(type_) else 1)


def _alias(p: Printer, result: SSAValue, pointer: str) -> None:
    """Another typed pointer to the same bytes."""
    if result.first_use is None:
        return
    made = p.add_array(result)
    if is_bytes(result):
        made.element = "char"
    p.line(f"{made.pointer(made.name)} = {p.as_pointer(made, pointer)};")


def is_bytes(value: SSAValue) -> bool:
    """Whether a buffer is raw memory: bytes that are only handed on or seen as something else."""
    type_ = value.type
    if not is_memref(type_) or len(type_.get_shape()) != 1 or type_.element_type != i8:
        return False
    return all(isinstance(use.operation, memref.ViewOp | func.CallOp) for use in value.uses)


def print_view(p: Printer, op: memref.ViewOp) -> None:
    """`float (*h)[256] = (void *)(arena + 4096);`."""
    offset = p.use(op.byte_shift)
    base = p.arrays[op.source].name
    if offset.text == "0" and is_bytes(op.result):
        p.arrays[op.result] = p.arrays[op.source]
        return
    _alias(p, op.result, base if offset.text == "0" else f"({base} + {offset.text})")


def print_reshape(p: Printer, op: Operation) -> None:
    """The same elements under other extents."""
    source = p.arrays[op.operands[0]]
    if source.element == "char" and is_bytes(op.results[0]):
        p.arrays[op.results[0]] = source
    else:
        _alias(p, op.results[0], source.pointer_text)


def print_reinterpret(p: Printer, op: memref.ReinterpretCastOp) -> None:
    """The same elements, seen with other extents and strides, from an offset."""
    source = p.arrays[op.source]
    offset = _mixed(p, op.static_offsets, op.offsets)[0]
    flat = f"({source.element} *){source.pointer_text}"
    _alias(p, op.result, source.pointer_text if offset.text == "0" else f"({flat} + {offset.within(MULTIPLY)})")


def _mixed(p: Printer, static: DenseArrayBase[IntegerType], dynamic: Iterable[SSAValue]) -> list[CExpr]:
    """Offsets of which some are constants."""
    rest = iter(dynamic)
    values = static.get_values()
    return [p.use(next(rest)) if v == DYNAMIC_INDEX else CExpr(str(v), constant=True) for v in values]


def print_subview(p: Printer, op: memref.SubviewOp) -> None:
    """A pointer to the first element of the part."""
    source = p.arrays[op.source]
    _alias(p, op.result, source.address(_mixed(p, op.static_offsets, op.offsets)).text)


def print_copy(p: Printer, op: memref.CopyOp) -> None:
    """Copies contiguous memory."""
    count = min(_contiguous_size(side.type) for side in (op.source, op.destination))
    source, destination = p.arrays[op.source], p.arrays[op.destination]
    size = f"{count} * sizeof({source.element})"
    p.effect(f"__builtin_memcpy({destination.pointer_text}, {source.pointer_text}, {size});")


def _contiguous_size(type_: Attribute) -> int:
    assert is_memref(type_)
    shape = type_.get_shape()
    strides, expected = strides_of(type_), 1
    for extent, stride in zip(reversed(shape), reversed(strides), strict=True):
        if extent < 0 or (extent != 1 and stride != expected):
            raise CodegenError(f"no C for memref.copy of {type_}: it is not contiguous")
        expected *= extent
    return prod(shape)


MEMORY: dict[type[Operation], Rule] = {
    memref.LoadOp: print_load,
    memref.StoreOp: print_store,
    memref.AllocaOp: print_alloca,
    memref.ViewOp: print_view,
    memref.CollapseShapeOp: print_reshape,
    memref.ExpandShapeOp: print_reshape,
    memref.CastOp: print_reshape,
    memref.ReinterpretCastOp: print_reinterpret,
    memref.SubviewOp: print_subview,
    memref.CopyOp: print_copy,
    vector.LoadOp: print_vector_load,
    vector.StoreOp: print_vector_store,
    vector.MaskedLoadOp: print_masked_load,
    vector.MaskedStoreOp: print_masked_store,
    spmd.PrefetchOp: print_prefetch,
    bounds.CheckOp: print_check,
    vectorx.TransposeOp: print_transpose,
}
"""How accesses to memory are printed, by op."""
