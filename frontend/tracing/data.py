"""`p.data = value` in a trace: from there on `p` is a name for the memory of `value`, as in eager code.

    old = p.data                     shares the memory that p had
    p.data = old + 1                 p has the memory of the sum; `old` keeps its numbers
    ... the trace ends               p is given its own memory back, and the program writes into that what p is now

What else shares the memory of `value` shares that of `p` after a call; what shares the old one gets memory of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from xdsl.ir import SSAValue

from ...runtime.storage import Storage
from ..dispatch import value_of
from ..layout import View
from ..tape import is_traced
from ..tensor import Tensor, alias


class AssigningTrace(Protocol):
    """What assignments ask of the trace that they are made in."""

    versions: Any
    histories: Any

    def is_argument(self, storage: Storage) -> bool: ...
    def keep_own(self, tensor: Tensor) -> None: ...
    def on_end(self, restore: Callable[[], None]) -> None: ...
    def read(self, storage: Storage) -> SSAValue: ...
    def write(self, storage: Storage, value: SSAValue) -> None: ...


class _Memory(NamedTuple):
    storage: Storage
    view: View | None
    base: Tensor | None
    detached: int


class Assignments:
    """The assignments to `.data` in one trace."""

    def __init__(self) -> None:
        self._before: dict[Tensor, _Memory] = {}
        self.homes: dict[Storage, Storage] = {}
        """Memory made in the trace, and the tensor's own that it is written to in the end."""
        self.owners: dict[Storage, Tensor] = {}
        """The tensors that have these."""
        self.left: dict[Storage, SSAValue] = {}
        """Memory that a tensor has come back to, and what the others that share it see in it."""

    def assign(self, trace: AssigningTrace, tensor: Tensor, value: Tensor) -> None:
        """Lets a tensor have the memory of another one."""
        if tensor not in self._before and (not tensor._storage.symbolic or trace.is_argument(tensor._storage)):
            memory = _Memory(tensor._storage, tensor._view, tensor._base, tensor._detached)
            self._before[tensor] = memory
            trace.keep_own(tensor)
            trace.on_end(lambda: _give(tensor, memory))
        if tensor._storage is not value._storage:  # what was computed with the tensor has saved the tensor
            trace.versions.write(tensor._storage, hidden=True)
        if is_traced(tensor):  # gradients go on to what it was computed from
            trace.histories.keep(tensor, value_of(trace, tensor))
        _give(tensor, _Memory(value._storage, value._view, None, 1))

    def settle(
        self, trace: AssigningTrace, is_shared: Callable[[Tensor, Storage], bool]
    ) -> list[tuple[Tensor, Tensor]]:
        """Gives all tensors their own memory back. Returns those that each call has to give another one, and a tensor
        that has it: where the memory is that of a third one, or `is_shared` with what is not traced."""
        now = {tensor: alias(tensor) for tensor in self._before}
        final = {tensor: value_of(trace, found) for tensor, found in now.items()}
        taken = [found._storage for found in now.values()]
        others: list[tuple[Tensor, Tensor]] = []
        for tensor, memory in self._before.items():
            _give(tensor, memory)
            found = now[tensor]
            if found._storage is memory.storage and found._view == memory.view:
                continue
            whole = found._view is None and memory.view is None and taken.count(found._storage) == 1
            fresh = found._storage.symbolic and not trace.is_argument(found._storage)
            if whole and fresh and not is_shared(tensor, memory.storage):
                self.homes[found._storage] = memory.storage
                if not trace.is_argument(memory.storage):
                    self.owners[memory.storage] = tensor
                self.left[memory.storage] = trace.read(memory.storage)
            else:
                others.append((tensor, found))
        for storage, home in self.homes.items():
            trace.write(home, next(final[t] for t, found in now.items() if found._storage is storage))
        return others


def _give(tensor: Tensor, memory: _Memory) -> None:
    tensor._storage, tensor._view, tensor._base, tensor._detached = memory


__all__ = ["Assignments"]
