"""What passes ask about memory: which op touches which buffer. Two different buffers never overlap."""

from __future__ import annotations

from collections.abc import Iterable, Set

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.traits import (
    EffectInstance,
    IsTerminator,
    MemoryAllocEffect,
    MemoryEffect,
    MemoryEffectKind,
    MemoryFreeEffect,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoMemoryEffect,
    RecursiveMemoryEffect,
    get_effects,
)

_PURE: dict[type[Operation], bool] = {}
_FIXED = (NoMemoryEffect, MemoryReadEffect, MemoryWriteEffect, MemoryAllocEffect, MemoryFreeEffect)
_EFFECTS: dict[type[Operation], Set[EffectInstance] | None] = {}
"""Of classes whose ops all have the same."""
_VIEWS = frozenset(
    "memref." + name
    for name in ("view", "subview", "cast", "collapse_shape", "expand_shape", "reinterpret_cast", "memory_space_cast")
)
_HINTS = frozenset({"spmd.prefetch"})
"""Ops whose effects only keep them alive."""


def effects_of(op: Operation) -> Set[EffectInstance] | None:
    """What an op does to memory; None where that is unknown."""
    kind = type(op)
    if kind in _EFFECTS:
        return _EFFECTS[kind]
    effects = get_effects(op)
    if all(isinstance(trait, _FIXED) for trait in op.get_traits_of_type(MemoryEffect)):
        _EFFECTS[kind] = effects
    return effects


def is_pure(op: Operation) -> bool:
    """Whether an op, by its class, only computes its results from its operands. Terminators hand values on: they do."""
    kind = type(op)
    pure = _PURE.get(kind)
    if pure is None:
        traits = op.get_traits_of_type(MemoryEffect)
        pure = op.has_trait(IsTerminator) or (len(traits) > 0 and all(isinstance(t, NoMemoryEffect) for t in traits))
        _PURE[kind] = pure
    return pure


def only_computes(op: Operation) -> bool:
    """The same of an op without regions, arithmetic included that upstream says nothing of."""
    return not op.regions and (is_pure(op) or op.name.startswith("arith."))


def is_removable(op: Operation) -> bool:
    """Whether nobody would miss an op whose results are unused: at most it reads, or makes a buffer."""
    if op.has_trait(IsTerminator):
        return False
    if is_pure(op):
        return True
    if op.has_trait(RecursiveMemoryEffect):
        return all(_leaves_memory_alone(inner) for region in op.regions for inner in region.walk())
    return _leaves_memory_alone(op)


def _leaves_memory_alone(op: Operation) -> bool:
    if is_pure(op) or op.has_trait(RecursiveMemoryEffect):
        return True
    effects = effects_of(op)
    return effects is not None and all(e.kind in (MemoryEffectKind.READ, MemoryEffectKind.ALLOC) for e in effects)


def buffer_of(value: SSAValue) -> SSAValue:
    """The buffer that a memref is a view of."""
    while isinstance(value, OpResult) and value.op.name in _VIEWS:
        value = value.op.operands[0]
    return value


def reads_of(op: Operation) -> set[SSAValue] | None:
    """The buffers that an op without regions reads, where reading is all it does; else None."""
    if op.regions:
        return None
    effects = effects_of(op)
    if not effects or any(e.kind is not MemoryEffectKind.READ for e in effects):
        return None
    return {buffer_of(v) for v in op.operands if isinstance(v.type, MemRefType)}


class Writes:
    """The buffers that some ops write."""

    def __init__(self, ops: Iterable[Operation] = ()) -> None:
        self.buffers: set[SSAValue] = set()
        self.everything = False
        """One of the ops may write anything: it is unknown, or waits for other threads."""
        for op in ops:
            self.add(op)

    def add(self, op: Operation) -> None:
        """Counts in what an op writes itself."""
        if is_pure(op) or op.name in _HINTS or op.has_trait(RecursiveMemoryEffect):
            return
        effects = effects_of(op)
        if effects is None:
            self.everything = True
            return
        for effect in effects:
            if effect.kind in (MemoryEffectKind.READ, MemoryEffectKind.ALLOC):
                continue
            values = [effect.value] if isinstance(effect.value, SSAValue) else op.operands
            found = {buffer_of(v) for v in values if isinstance(v.type, MemRefType)}
            self.buffers |= found
            self.everything |= not found

    def include(self, other: Writes) -> None:
        """Counts in all that others write."""
        self.buffers |= other.buffers
        self.everything |= other.everything

    def __contains__(self, buffer: SSAValue) -> bool:
        return self.everything or buffer in self.buffers


def writes_inside(op: Operation, known: dict[Operation, Writes]) -> Writes:
    """What an op and everything in its regions writes; `known` remembers that of every op with regions."""
    found = known.get(op)
    if found is None:
        found = Writes([op])
        for region in op.regions:
            for block in region.blocks:
                for inner in block.ops:
                    if inner.regions:
                        found.include(writes_inside(inner, known))
                    else:
                        found.add(inner)
        known[op] = found
    return found
