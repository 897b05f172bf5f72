"""What follows a contraction and can be done while its tile is still in registers.

    out[m, n] += a[m, k] * w[n, k]                         for each finished tile:
    h[m, n] = max(out[m, n] + bias[n], 0)        ->          h = max(tile + bias, 0)       // `out` is never stored

A following elementwise operation joins if every buffer that it shares with the nest is touched at the same point by
all who touch it. The result is a list of stages in terms of the contraction's own dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects import func, memref
from xdsl.dialects.builtin import MemRefType
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.dialects.linalg.ops import GenericOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import MemoryEffectKind, get_effects, is_side_effect_free

from .classify import AffineAccess, Bodies, Contraction, NotTaken, access_of, known_extents


@dataclass(frozen=True)
class EpilogueOp:
    """One elementwise operation of the epilogue."""

    op: GenericOp
    inputs: tuple[tuple[SSAValue, AffineAccess], ...]
    """Block arguments and what they read, old values of outputs included if the body wants them."""
    ops: tuple[Operation, ...]
    outputs: tuple[tuple[SSAValue, AffineAccess], ...]
    """Values that the body yields, and where they go."""


@dataclass
class Epilogue:
    """All stages, and which buffers have to be stored."""

    stages: list[EpilogueOp] = field(default_factory=list[EpilogueOp])
    moved: list[Operation] = field(default_factory=list[Operation])
    """Operations between the contraction and the stages that the nest needs: they go before it."""
    stored: set[SSAValue] = field(default_factory=set[SSAValue])
    """Buffers that somebody reads after the nest."""
    local: set[SSAValue] = field(default_factory=set[SSAValue])
    """Buffers that nobody reads after the nest: their allocations may go."""

    @property
    def ops(self) -> int:
        """How many operations the bodies have."""
        return sum(len(stage.ops) for stage in self.stages)

    def accesses(self) -> Iterator[AffineAccess]:
        """Every access of every stage."""
        for stage in self.stages:
            for _, access in (*stage.inputs, *stage.outputs):
                yield access


def collect(kernel: func.FuncOp, contraction: Contraction, bodies: Bodies) -> Epilogue:
    """Finds the stages that follow a contraction of a kernel."""
    epilogue = Epilogue()
    written: dict[SSAValue, AffineAccess] = {contraction.out.buffer: contraction.out}
    reads = {access.buffer for factor in (contraction.left, contraction.right) for _, access in factor.inputs}
    skipped_reads: set[SSAValue] = set()
    skipped_writes: set[SSAValue] = set()
    op = contraction.op.next_op
    while op is not None and not isinstance(op, func.ReturnOp):
        following = op.next_op
        stage = _stage(op, contraction, written, bodies) if isinstance(op, GenericOp) else None
        if stage is not None and _legal(stage, written, reads, skipped_reads, skipped_writes):
            if bodies.expand(kernel, stage.ops):
                stage = _stage(stage.op, contraction, written, bodies) or stage
            epilogue.stages.append(stage)
            for _, access in stage.outputs:
                written[access.buffer] = access
        elif _movable(op, {*written, *skipped_writes}):
            epilogue.moved.append(op)
        else:
            effects = _effects(op)
            if effects is None:
                break
            skipped_reads |= effects[0]
            skipped_writes |= effects[1]
        op = following
    _settle(epilogue, contraction, written)
    return epilogue


def _movable(op: Operation, changed: set[SSAValue]) -> bool:
    """Whether an operation computes the same before the nest."""
    if isinstance(op, memref.LoadOp):
        return op.memref not in changed
    return isinstance(op, memref.AllocOp) or is_side_effect_free(op)


def _effects(op: Operation) -> tuple[set[SSAValue], set[SSAValue]] | None:
    """The buffers that an operation reads and writes; `None` if that is not known."""
    effects = get_effects(op)
    if effects is None:
        return None
    reads: set[SSAValue] = set()
    writes: set[SSAValue] = set()
    for effect in effects:
        if isinstance(effect.value, SSAValue):
            (reads if effect.kind is MemoryEffectKind.READ else writes).add(effect.value)
        elif effect.kind is not MemoryEffectKind.ALLOC:
            return None
    return reads, writes


def _stage(
    op: GenericOp, contraction: Contraction, written: dict[SSAValue, AffineAccess], bodies: Bodies
) -> EpilogueOp | None:
    """Reads an operation as a stage over the contraction's points, if it reads what the nest wrote."""
    if any(kind.data != IteratorType.PARALLEL for kind in op.iterator_types) or op.results:
        return None
    shared = next((i for i, value in enumerate(op.inputs) if value in written), None)
    block = op.body.block
    body = list(block.ops)[:-1]
    if shared is None or not all(bodies.computes(inner) for inner in body):
        return None
    try:
        extents = known_extents(op)
        maps = [m.data for m in op.indexing_maps]
        accesses = [access_of(v, map_.results, extents) for v, map_ in zip(op.operands, maps, strict=True)]
    except NotTaken:
        return None
    renaming = _renaming(accesses[shared], extents, written[op.inputs[shared]], contraction)
    if renaming is None:
        return None
    accesses = [access.renamed(renaming) for access in accesses]
    count = len(op.inputs)
    space = {*contraction.batch, *contraction.m, *contraction.n}
    if any(access.dims != space or not _bare(access, contraction) for access in accesses[count:]):
        return None
    used = {operand for inner in (*body, block.last_op) if inner is not None for operand in inner.operands}
    inputs = [
        (argument, access)
        for i, (argument, access) in enumerate(zip(block.args, accesses, strict=True))
        if i < count or argument in used
    ]
    last = block.last_op
    assert last is not None
    outputs = tuple(zip(last.operands, accesses[count:], strict=True))
    return EpilogueOp(op, tuple(inputs), tuple(body), outputs)


def _bare(access: AffineAccess, contraction: Contraction) -> bool:
    """Whether an access touches every element of its buffer at exactly one point."""
    sizes = [contraction.extents[terms[0][0]] if terms else 1 for _, terms in access.forms]
    return tuple(sizes) == access.shape and all(
        const == 0 and len(terms) <= 1 and all(factor == 1 for _, factor in terms) for const, terms in access.forms
    )


def _renaming(
    read: AffineAccess, extents: tuple[int, ...], write: AffineAccess, contraction: Contraction
) -> dict[int, int | None] | None:
    """Which dimension of the contraction each dimension of a stage is, judging by a buffer that both index."""
    renaming: dict[int, int | None] = {dim: None for dim, extent in enumerate(extents) if extent == 1}
    for (const, terms), (_, wanted) in zip(read.forms, write.forms, strict=True):
        if const or len(terms) != len(wanted):
            return None
        for (dim, factor), (target, _) in zip(terms, wanted, strict=True):
            if factor != 1 or extents[dim] != contraction.extents[target] or renaming.get(dim, target) != target:
                return None
            renaming[dim] = target
    return renaming if len(renaming) == len(extents) else None


def _legal(
    stage: EpilogueOp,
    written: dict[SSAValue, AffineAccess],
    reads: set[SSAValue],
    skipped_reads: set[SSAValue],
    skipped_writes: set[SSAValue],
) -> bool:
    """Whether a stage may run tile by tile, before the operations that were skipped on the way to it."""
    outputs = {access.buffer for _, access in stage.outputs}
    inputs = {access.buffer for _, access in stage.inputs}
    if outputs & reads or outputs & (skipped_reads | skipped_writes) or inputs & skipped_writes:
        return False
    own = {access.buffer: access for _, access in stage.outputs}
    return all(
        access.normalized() == known.normalized()
        for _, access in (*stage.inputs, *stage.outputs)
        for known in (written.get(access.buffer), own.get(access.buffer))
        if known is not None
    )


def _settle(epilogue: Epilogue, contraction: Contraction, written: dict[SSAValue, AffineAccess]) -> None:
    """Decides which of the written buffers are stored: arguments, and those that others read."""
    inside: set[Operation] = {contraction.op, *(stage.op for stage in epilogue.stages)}
    if contraction.fill is not None:
        inside.add(contraction.fill)
    for buffer in written:
        users = {_top(use.operation, contraction.op.parent) for use in buffer.uses}
        if isinstance(buffer.owner, memref.AllocOp) and users <= inside:
            epilogue.local.add(buffer)
        else:
            epilogue.stored.add(buffer)


def _top(op: Operation, block: Block | None) -> Operation:
    """The operation of a block that another one is in."""
    while op.parent is not block and (parent := op.parent_op()) is not None:
        op = parent
    return op


def buffers_of(op: Operation) -> set[SSAValue]:
    """The memrefs that an operation and its body mention."""
    return {v for inner in op.walk() for v in inner.operands if isinstance(v.type, MemRefType)}
