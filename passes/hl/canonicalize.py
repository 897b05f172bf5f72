"""Canonicalize: every op in its simplest form.

    %0 = hl.constant 0.0              : tensor<4x4xf32>
    %1 = hl.transpose %x [1, 0]       : tensor<4x4xf32>
    %2 = hl.transpose %1 [1, 0]       : tensor<4x4xf32>
    %3 = hl.add %0, %2                : tensor<4x4xf32>
    %4 = hl.exp %3                    : tensor<4x4xf32>
    ->
    %4 = hl.exp %x                    : tensor<4x4xf32>

A work list: first every op in order, then only what a rewrite touched, so that the time is linear in the size of the
program and the number of rewrites. What a rewrite makes stands where the replaced op stood. The patterns are in
passes/hl/patterns, one table a family; folding of constants is in fold.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, OpResult, Region, SSAValue

from ...dialects.hl.base import HLOp
from ..effects import is_removable
from ..pass_base import FunctionPass, RecordingBuilder, is_dynamic, remove, replace, walk
from .fold import fold
from .patterns import PATTERNS


@dataclass(frozen=True)
class Canonicalize(FunctionPass):
    """Applies all patterns, and folds constants, until nothing changes."""

    name = "canonicalize"

    def apply_to_function(self, function: FuncOp) -> None:
        canonicalize(function.body)


def canonicalize(region: Region) -> int:
    """Rewrites the hl ops of a region; returns how often."""
    work = _WorkList(op for op in walk(region) if isinstance(op, HLOp))
    rewrites = 0
    while (op := work.pop()) is not None:
        if all(not r.uses for r in op.results) and is_removable(op):
            operands = tuple(op.operands)
            remove(op)
            work.add(v.op for v in operands if isinstance(v, OpResult))
            continue
        builder = RecordingBuilder(op)
        try:
            value = _simplified(builder, op)
        except ValueError:
            if not is_dynamic(op):
                raise
            value = None
        if value is None or value.type != op.results[0].type:  # the same but for what is known of its shape
            for made in reversed(builder.made):
                remove(made)
            continue
        rewrites += 1
        users = [use.operation for use in op.results[0].uses]
        operands = tuple(op.operands)
        replace(op, [value])
        work.add((*builder.made, *users, *(v.op for v in operands if isinstance(v, OpResult))))
    return rewrites


def _simplified(b: RecordingBuilder, op: HLOp) -> SSAValue | None:
    folded = fold(b, op)
    if folded is not None:
        return folded
    for pattern in PATTERNS.get(type(op), ()):
        value = pattern(b, op)
        if value is not None:
            return value
    return None


class _WorkList:
    """hl ops to look at, each at most once at a time."""

    def __init__(self, ops: Iterable[Operation]) -> None:
        self._queue: deque[HLOp] = deque()
        self._queued: set[Operation] = set()
        self.add(ops)

    def add(self, ops: Iterable[Operation]) -> None:
        for op in ops:
            if isinstance(op, HLOp) and op not in self._queued:
                self._queued.add(op)
                self._queue.append(op)

    def pop(self) -> HLOp | None:
        """The next op that is still in the program."""
        while self._queue:
            op = self._queue.popleft()
            self._queued.discard(op)
            if op.parent is not None:
                return op
        return None
