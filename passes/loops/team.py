"""A thread's share of a loop, worked out in IR."""

# pyright: basic
from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Block, SSAValue

from ...dialects.spmd import ThreadCountOp, ThreadIdOp
from .build import INDEX, Constants, Emitter, constant_value


class Team:
    """The thread's number and the size of its team, asked for once in a kernel."""

    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.made: dict[type, SSAValue] = {}
        self.first: SSAValue | None = None

    def _ask(self, op: type[ThreadIdOp] | type[ThreadCountOp]) -> SSAValue:
        found = self.made.get(op)
        if found is None:
            found = self.made[op] = self._top().create(op, [], [INDEX]).results[0]
            found.name_hint = "me" if op is ThreadIdOp else "team"
        return found

    def _top(self) -> Emitter:
        """Behind the constants and what has been put there before."""
        self.constants.index(0)
        block: Block = self.constants.block
        op = self.constants.last
        assert op is not None
        after = op.next_op
        while after is not None and any(value.owner is after for value in (*self.made.values(), self.first) if value):
            after = after.next_op
        return Emitter(self.constants, block, after)

    def is_first(self, emitter: Emitter) -> SSAValue:
        """Whether this is the thread that does what cannot be shared."""
        if self.first is None:
            me = self._ask(ThreadIdOp)
            self.first = self._top().compare(0, me, emitter.index(0))
            self.first.name_hint = "first"
        return self.first

    def range(self, emitter: Emitter, extent: SSAValue, granule: int = 1) -> tuple[SSAValue, SSAValue]:
        """This thread's [low, high) of `extent` iterations, in multiples of `granule`: balanced to one granule."""
        thread, count = self._ask(ThreadIdOp), self._ask(ThreadCountOp)
        size = emitter.index(granule)
        known = constant_value(extent)
        whole = granule == 1 or (known is not None and known % granule == 0)
        pieces = emitter.div(emitter.add(extent, emitter.index(granule - 1)), size)

        def bound(k: SSAValue) -> SSAValue:
            start = emitter.mul(emitter.div(emitter.mul(pieces, k), count), size)
            return start if whole else emitter.min(start, extent)

        low, high = bound(thread), bound(emitter.op(arith.AddiOp, thread, emitter.index(1)))
        low.name_hint, high.name_hint = "low", "high"
        return low, high
