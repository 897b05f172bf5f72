"""What ops inside a trace have saved for their gradients, as the nodes of the tape do, and what has become of it.

y = x * w;  w.add_(1);  y.sum().backward()      raises, as it does eagerly: the gradient by x asks for w as it was
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from xdsl.ir import Block, Operation, OpResult, SSAValue

from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.builder import IRBuilder
from ...runtime.storage import Storage
from ..tape import VALUE_FREE

if TYPE_CHECKING:
    from ..tensor import Tensor

Saved = list[tuple[Storage | None, int]]
"""For each operand, then each result: where it was, and how often that had been written to; None for a copy."""


class Versions:
    """Counts writes to storages, and remembers what ops have saved."""

    def __init__(self) -> None:
        self._writes: Counter[Storage] = Counter()
        self._hidden: set[Storage] = set()
        """What was written to through `.data`, which nobody notices eagerly: gradients then use the new numbers."""
        self._saved: dict[Operation, Saved] = {}

    def save(self, value: SSAValue, operands: Sequence[Tensor], results: Sequence[Tensor]) -> None:
        """The op that made a value keeps its operands and results."""
        if isinstance(value, OpResult) and type(value.op) not in VALUE_FREE:
            storages = [t._storage for t in (*operands, *results)]
            self._saved[value.op] = [(storage, self._writes[storage]) for storage in storages]

    def write(self, storage: Storage, hidden: bool = False) -> None:
        """A storage holds something else from here on."""
        self._writes[storage] += 1
        if hidden:
            self._hidden.add(storage)

    def is_hidden(self, op: Operation) -> bool:
        """Whether something that an op has saved was written to through `.data`."""
        return any(storage in self._hidden for storage, _ in self._saved[op])

    def now(self) -> int:
        """How many ops have saved something so far."""
        return len(self._saved)

    def keep_overwritten(self, storage: Storage, since: int) -> None:
        """Ops since then keep a copy of what a storage held: an op that works in place is about to write there."""
        for op in list(self._saved)[since:]:
            saved = self._saved[op]
            self._saved[op] = [(None if each is storage else each, count) for each, count in saved]

    def modified(self, values: Iterable[SSAValue], is_tracked: Callable[[SSAValue], bool]) -> Operation | None:
        """One of the ops that made these values whose gradient asks for something that has been written over."""
        for op in dict.fromkeys(v.op for v in values if isinstance(v, OpResult)):
            stale = {
                number
                for number, (storage, count) in enumerate(self._saved.get(op, ()))
                if storage is not None and self._writes[storage] != count
            }
            if stale and _asks(op, stale, [is_tracked(v) for v in op.operands]):
                return op
        return None

    def clear(self) -> None:
        """Lets go of everything."""
        self._writes.clear()
        self._hidden.clear()
        self._saved.clear()


def _asks(op: Operation, stale: set[int], needs: Sequence[bool]) -> bool:
    """Whether the gradient rule of an op computes with some of its operands and results."""
    from ...passes.hl.gradients import GRADIENTS, OpCall

    assert isinstance(op, HLOp)
    rule = GRADIENTS.get(type(op))
    if rule is None:
        return False
    block = Block(arg_types=[v.type for v in (*op.operands, *op.results, *op.results)])
    count, made = len(op.operands), len(op.results)
    operands, results = block.args[:count], block.args[count : count + made]
    call = OpCall(operands, results, block.args[count + made :], attributes_of(op), needs)
    given = rule(IRBuilder(block, location=op.location), call)
    pending = [v for v, need in zip(given, needs) if need and v is not None]
    asked: set[SSAValue] = set()
    while pending:
        value = pending.pop()
        if value not in asked:
            asked.add(value)
            if isinstance(value, OpResult):
                pending.extend(value.op.operands)
    return any(block.args[number] in asked for number in stale)


__all__ = ["Versions"]
