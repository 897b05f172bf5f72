"""Who touches which memory, where: the questions that fusion, parallelization and vectorization ask of loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, func, memref, scf, vector
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from ...dialects.spmd import SPACE, SingleOp, Space, SpaceAttr
from ...dialects.types import bytes_of, is_memref, memref_of
from ...dialects.vectorx import TransposeOp
from ..effects import buffer_of
from .constants import constant_value, memref_type

root = buffer_of
"""The argument or allocation that a buffer is a view of."""


def space_of(buffer: SSAValue) -> Space:
    """Who sees a buffer: what its allocation says, else a thread of its own `memref.alloca`, all of anything else."""
    owner = buffer_of(buffer).owner
    if not isinstance(owner, memref.AllocOp | memref.AllocaOp):
        return Space.GLOBAL
    given = owner.attributes.get(SPACE)
    if isinstance(given, SpaceAttr):
        return given.data
    return Space.PRIVATE if isinstance(owner, memref.AllocaOp) else Space.GLOBAL


@dataclass(frozen=True, slots=True)
class Access:
    """One operation that reads or writes memory."""

    op: Operation
    buffer: SSAValue
    indices: tuple[SSAValue, ...]
    writes: bool


def _load(op: memref.LoadOp) -> tuple[Access, ...]:
    return (Access(op, op.memref, tuple(op.indices), False),)


def _store(op: memref.StoreOp) -> tuple[Access, ...]:
    return (Access(op, op.memref, tuple(op.indices), True),)


def _load_vector(op: vector.LoadOp | vector.MaskedLoadOp) -> tuple[Access, ...]:
    return (Access(op, op.base, tuple(op.indices), False),)


def _store_vector(op: vector.StoreOp | vector.MaskedStoreOp) -> tuple[Access, ...]:
    return (Access(op, op.base, tuple(op.indices), True),)


def _transpose(op: TransposeOp) -> tuple[Access, ...]:
    """Many places, which no index names."""
    return Access(op, op.source, (), False), Access(op, op.target, (), True)


_ACCESSORS: dict[type[Operation], Callable[..., tuple[Access, ...]]] = {
    memref.LoadOp: _load,
    memref.StoreOp: _store,
    vector.LoadOp: _load_vector,
    vector.StoreOp: _store_vector,
    vector.MaskedLoadOp: _load_vector,
    vector.MaskedStoreOp: _store_vector,
    TransposeOp: _transpose,
}


def access(op: Operation) -> Access | None:
    """The one place that an operation itself accesses, or None."""
    rule = _ACCESSORS.get(type(op))
    found = () if rule is None else rule(op)
    return found[0] if len(found) == 1 else None


def accesses(ops: Iterable[Operation]) -> list[Access]:
    """All accesses of operations and what they contain, in order."""
    found: list[Access] = []
    for op in ops:
        for inner in op.walk():
            rule = _ACCESSORS.get(type(inner))
            if rule is not None:
                found += rule(inner)
    return found


def places(op: Operation, buffer: SSAValue) -> tuple[SSAValue, ...]:
    """What says where in memory an operation writes a buffer: a view, and indices."""
    if isinstance(op, TransposeOp):
        return buffer, *op.target_indices
    found = access(op)
    return (buffer,) if found is None else (buffer, *found.indices)


def by_root(found: Iterable[Access]) -> dict[SSAValue, list[Access]]:
    """Accesses by the memory that they touch."""
    result: dict[SSAValue, list[Access]] = {}
    for item in found:
        result.setdefault(root(item.buffer), []).append(item)
    return result


def conflicting_roots(a: Sequence[Access], b: Sequence[Access]) -> list[tuple[list[Access], list[Access]]]:
    """The accesses, by memory, of two parts of the code that touch the same memory, at least one of them writing."""
    first, second = by_root(a), by_root(b)
    return [
        (first[key], second[key])
        for key in first
        if key in second and (any(x.writes for x in first[key]) or any(x.writes for x in second[key]))
    ]


def same_iteration(a: Sequence[Access], iv_a: SSAValue, b: Sequence[Access], iv_b: SSAValue) -> bool:
    """Whether all accesses to one buffer, in two loops, meet only in iterations of equal number.

    So it is where one index of all of them is the loop's counter, plus the same constant.
    """
    everything = [(x, iv_a) for x in a] + [(x, iv_b) for x in b]
    if len({x.buffer for x, _ in everything}) != 1 or len({len(x.indices) for x, _ in everything}) != 1:
        return False
    for position in range(len(a[0].indices)):
        offsets = {_offset(x.indices[position], iv) for x, iv in everything}
        if len(offsets) == 1 and None not in offsets:
            return True
    return False


def _offset(index: SSAValue, iv: SSAValue) -> int | None:
    """k where an index is iv + k."""
    if index is iv:
        return 0
    op = index.owner
    if type(op) is arith.AddiOp and op.lhs is iv:
        return constant_value(op.rhs)
    return None


def ancestor_in(op: Operation, block: Block) -> Operation | None:
    """The operation of `block` that is or contains `op`."""
    current: Operation | None = op
    while current is not None and current.parent is not block:
        current = current.parent_op()
    return current


def uses_of(value: SSAValue) -> list[Operation]:
    """The operations that use a value."""
    return [use.operation for use in value.uses]


def element_bytes(buffer: SSAValue) -> int:
    """Of one element of a buffer."""
    return bytes_of(memref_type(memref_of(buffer).element_type, ()))


def element_count(type_: MemRefType) -> int:
    """How many elements a static buffer has."""
    count = 1
    for extent in type_.get_shape():
        count *= extent
    return count


def is_single(op: Operation) -> bool:
    """Whether only one thread of the team, the first, comes to an operation."""
    current: Operation | None = op
    while current is not None:
        if isinstance(current, SingleOp):
            return True
        current = current.parent_op()
    return False


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of a buffer: all of it where `size` is None; of any buffer where `base` is None."""

    base: SSAValue | None
    offset: int = 0
    size: int | None = None

    def meets(self, other: Place) -> bool:
        if self.base is None or other.base is None:
            return True
        if self.base is not other.base:
            return False
        if self.size is None or other.size is None:
            return True
        return self.offset < other.offset + other.size and other.offset < self.offset + self.size


def place_of(buffer: SSAValue) -> Place:
    """Which memory a buffer is."""
    if not is_memref(buffer.type):
        return Place(None)
    owner = buffer.owner
    if isinstance(buffer, BlockArgument):
        is_argument = isinstance(owner, Block) and isinstance(owner.parent_op(), func.FuncOp)
        # What a loop carries may be any of several buffers.
        return Place(buffer) if is_argument else Place(None)
    assert isinstance(owner, Operation)
    if isinstance(owner, memref.ViewOp):
        inner, offset = place_of(owner.source), constant_value(owner.byte_shift)
        if offset is None or inner.base is None:
            return inner
        return Place(inner.base, inner.offset + offset, bytes_of(buffer.type))
    if isinstance(owner, scf.ForOp | scf.IfOp):
        return Place(None)
    if owner.operands and is_memref(owner.operands[0].type):
        return place_of(owner.operands[0])
    return Place(buffer)
