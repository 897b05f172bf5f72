"""Runs neighbouring loops as one, so that what one makes and the next reads stays in registers or in a row.

    scf.for %i = %c0 to %c64 step %c1 {
      ...
      memref.store %sum, %s[%i] : memref<64xf32>           // %s = memref.alloc()
    } {parallel}
    scf.for %k = %c0 to %c64 step %c1 {
      %t = memref.load %s[%k] : memref<64xf32>
      ...
    } {parallel}
->
    scf.for %i = %c0 to %c64 step %c1 {
      ...                                                  // %sum is used directly
      ...
    } {parallel}

Two parallel loops of the same range become one where every buffer that one of them writes and the other touches is
indexed by the loop counter at the same position: then only equal iterations meet. Inside of the fused loop the same is
tried for its inner loops. At the top of a kernel, where loops are shared among threads, those that carry sums stay
apart from those that do not; a loop that can become vectors is never joined with one that cannot. Loops of one block
and one range are run by the same threads, shares of them too: nobody else runs the fused loop. A temporary that
afterwards lives within one iteration loses the dimensions of the loops around it; one that lost all is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import builtin, func, memref, scf
from xdsl.dialects.builtin import FixedBitwidthType
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import is_side_effect_free

from ...dialects.locations import fuse as fuse_locations
from ...dialects.types import is_memref
from ..pass_base import KernelPass
from ..target import Profitability, default_profitability
from ..utils.constants import memref_type
from ..utils.loop_info import is_parallel
from ..utils.memory import (
    accesses,
    ancestor_in,
    by_root,
    conflicting_roots,
    element_count,
    root,
    same_iteration,
    uses_of,
)

__all__ = ["FuseLoops"]


@dataclass(frozen=True)
class FuseLoops(KernelPass):
    """Fuses neighbouring loops of a kernel and shrinks the temporaries between them."""

    name = "fuse-loops"
    profitability: Profitability = field(default_factory=default_profitability)

    def apply_to_function(self, function: func.FuncOp) -> None:
        _fuse_block(function.body.block, self.profitability, top=True)
        for alloc in [inner for inner in function.body.block.ops if isinstance(inner, memref.AllocOp)]:
            _shrink(alloc, self.profitability)
        forward_stores(function)
        remove_dead_buffers(function)


def _fuse_block(block: Block, profitability: Profitability, top: bool) -> None:
    """Fuses the loops of a block, first to last, then those inside of each."""
    loop = _next_loop(block.first_op)
    while loop is not None:
        candidate = _next_loop(loop.next_op)
        while candidate is not None:
            following = _next_loop(candidate.next_op)
            fused = _try_fuse(loop, candidate, profitability, top)
            if fused is not None:
                loop = fused
                # What stood in the way of an earlier candidate may have moved.
                following = _next_loop(loop.next_op)
            candidate = following
        _fuse_block(loop.body.block, profitability, top=False)
        loop = _next_loop(loop.next_op)


def _next_loop(op: Operation | None) -> scf.ForOp | None:
    while op is not None and not is_parallel(op):
        op = op.next_op
    assert op is None or isinstance(op, scf.ForOp)
    return op


def _same_range(a: scf.ForOp, b: scf.ForOp) -> bool:
    # Constants are interned: equal bounds are the same values.
    return a.lb is b.lb and a.ub is b.ub and a.step is b.step


def _try_fuse(a: scf.ForOp, b: scf.ForOp, profitability: Profitability, top: bool) -> scf.ForOp | None:
    """Fuses `b` into `a` where that is right and pays; returns the fused loop."""
    if not _same_range(a, b) or (top and bool(a.iter_args) != bool(b.iter_args)):
        return None
    in_a, in_b = accesses([a]), accesses([b])
    if not by_root(in_a).keys() & by_root(in_b).keys():
        return None
    if _is_leaf(a) and _is_leaf(b) and profitability.in_lanes(a) != profitability.in_lanes(b):
        return None
    iv_a, iv_b = a.body.block.args[0], b.body.block.args[0]
    if not all(same_iteration(x, iv_a, y, iv_b) for x, y in conflicting_roots(in_a, in_b)):
        return None
    before = _clear_the_way(a, b)
    if before is None:
        return None
    for op in before:
        op.detach()
        assert a.parent is not None
        a.parent.insert_op_before(op, a)
    return _merge(a, b)


def _is_leaf(loop: scf.ForOp) -> bool:
    return not any(op.regions for op in loop.body.block.ops)


def _clear_the_way(a: scf.ForOp, b: scf.ForOp) -> list[Operation] | None:
    """The operations between two loops that must move in front of `a`, so that `b` may join it; None if impossible.

    All others stay behind the fused loop, so `b` must not need them.
    """
    between: list[Operation] = []
    op = a.next_op
    while op is not b:
        assert op is not None
        between.append(op)
        op = op.next_op
    before: list[Operation] = []
    staying: list[Operation] = []
    made_late: set[SSAValue] = set(a.results)
    late_memory = accesses([a])
    for op in between:
        inner = accesses([op])
        used = {value for nested in op.walk() for value in nested.operands}
        tied = bool(used & made_late) or bool(conflicting_roots(late_memory, inner))
        known = bool(inner) or isinstance(op, scf.ForOp | scf.IfOp) or _is_setup(op)
        if not known:
            return None
        if tied:
            staying.append(op)
            made_late.update(op.results)
            late_memory += inner
        else:
            before.append(op)
    used = {value for nested in b.walk() for value in nested.operands}
    if used & made_late or conflicting_roots(accesses(staying), accesses([b])):
        return None
    return before


def _is_setup(op: Operation) -> bool:
    return isinstance(op, memref.AllocOp | memref.AllocaOp) or is_side_effect_free(op)


def _merge(a: scf.ForOp, b: scf.ForOp) -> scf.ForOp:
    """One loop with the body of `a`, then that of `b`, carrying what both carry."""
    body_a, body_b = a.body.block, b.body.block
    yield_a, yield_b = body_a.last_op, body_b.last_op
    assert yield_a is not None and yield_b is not None
    body_b.args[0].replace_all_uses_with(body_a.args[0])
    for argument in body_b.args[1:]:
        new = body_a.insert_arg(argument.type, len(body_a.args))
        new.name_hint = argument.name_hint
        argument.replace_all_uses_with(new)
    yielded = [*yield_a.operands, *yield_b.operands]
    yield_a.detach()
    yield_a.erase()
    for op in list(body_b.ops):
        op.detach()
        if op is yield_b:
            op.erase()
        else:
            body_a.add_op(op)
    body_a.add_op(scf.YieldOp.create(operands=yielded))
    body_a.parent.detach_block(body_a)  # pyright: ignore[reportOptionalMemberAccess]
    carried = [*a.iter_args, *b.iter_args]
    fused = scf.ForOp.create(
        operands=[a.lb, a.ub, a.step, *carried],
        result_types=[value.type for value in carried],
        attributes=a.attributes,
        regions=[Region(body_a)],
        location=fuse_locations([a.location, b.location]),
    )
    block = a.parent
    assert block is not None
    # Behind `a`'s place: what `b` needs stands in front of it by now.
    block.insert_op_before(fused, a)
    for old, new in zip([*a.results, *b.results], fused.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for op in (a, b):
        op.detach()
        op.erase()
    return fused


def _shrink(alloc: memref.AllocOp, profitability: Profitability) -> None:
    """alloc of 64x10, used within one iteration of %i only, as [%i, ...] -> alloca of 10 inside of that loop."""
    buffer = alloc.results[0]
    uses = uses_of(buffer)
    users = [op for op in uses if isinstance(op, memref.LoadOp | memref.StoreOp)]
    block = alloc.parent
    assert block is not None and is_memref(buffer.type)
    if not users or len(users) < len(uses):
        return
    dropped: set[int] = set()
    while True:
        owners = {ancestor_in(op, block) for op in users}
        loop = owners.pop()
        if owners or not is_parallel(loop) or not isinstance(loop, scf.ForOp):  # pyright: ignore[reportArgumentType]
            break
        iv = loop.body.block.args[0]
        positions = {p for p in range(buffer.type.get_num_dims()) if all(list(op.indices)[p] is iv for op in users)}
        if not positions:
            break
        dropped |= positions
        block = loop.body.block
    if not dropped:
        return
    shape = tuple(n for p, n in enumerate(buffer.type.get_shape()) if p not in dropped)
    type_ = memref_type(buffer.type.element_type, shape)
    element = type_.element_type
    size = element.size if isinstance(element, FixedBitwidthType) else 8
    if not profitability.keeps_row(element_count(type_) * size):
        return
    local = memref.AllocaOp.create(
        result_types=[type_],
        properties={"operandSegmentSizes": _NO_SIZES},
        location=alloc.location,
    )
    first = block.first_op
    assert first is not None
    block.insert_op_before(local, first)
    local.memref.name_hint = buffer.name_hint
    for op in users:
        fixed = len(op.operands) - buffer.type.get_num_dims()
        kept = [value for p, value in enumerate(op.operands[fixed:]) if p not in dropped]
        op.operands = [*op.operands[: fixed - 1], local.memref, *kept]
    alloc.detach()
    alloc.erase()


_NO_SIZES = builtin.DenseArrayBase.from_list(builtin.i32, [0, 0])


def forward_stores(kernel: func.FuncOp) -> None:
    """A load of what a store has just put there becomes the stored value.

    Only within loops, where the store is the only one to its buffer: then nothing can come in between.
    """
    found = by_root(accesses(kernel.body.block.ops))
    for group in found.values():
        stores = [item for item in group if item.writes]
        if len(stores) != 1 or not isinstance(stores[0].op, memref.StoreOp):
            continue
        store = stores[0]
        block = store.op.parent
        if block is None or block is kernel.body.block:
            continue
        for item in group:
            if item.writes or item.buffer is not store.buffer or item.indices != store.indices:
                continue
            ancestor = ancestor_in(item.op, block)
            if ancestor is not None and store.op.is_before_in_block(ancestor):
                item.op.results[0].replace_all_uses_with(store.op.operands[0])
                item.op.detach()
                item.op.erase()


def remove_dead_buffers(kernel: func.FuncOp) -> None:
    """Removes temporaries that nobody reads, with the stores to them."""
    for op in list(kernel.walk()):
        if not isinstance(op, memref.AllocOp | memref.AllocaOp):
            continue
        users = uses_of(op.results[0])
        if all(isinstance(user, memref.StoreOp) and root(user.memref) is op.results[0] for user in users):
            for user in [*users, op]:
                user.detach()
                user.erase()
