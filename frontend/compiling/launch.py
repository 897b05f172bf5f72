"""Running a compiled program: memory in, memory out, as little Python in between as possible."""

from __future__ import annotations

import threading
from _thread import LockType
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from weakref import ref

from ...dialects.types import TensorSpec
from ...runtime.backend import Program
from ...runtime.storage import Storage, layout_of
from ..tracing.trace import Input
from .memory import Memory, copied
from .weak import referent

if TYPE_CHECKING:
    from ..tensor import Tensor
    from ..tracing.checks import Checks
    from .plans import Copy

Changes = list[tuple[int, int]]
"""Pointers to change before a run: buffer number, address."""


def _nothing() -> None:
    """What a reference to nothing gives."""


class Gone(Exception):
    """A program is for a tensor that another thread has replaced since the call has begun."""


class ArgumentBuffer:
    """A buffer that can be another tensor's on each call; views and unaligned bytes go through a copy."""

    def __init__(
        self, index: int, find: Callable[[Sequence[Any]], Tensor], spec: TensorSpec, written: bool, memory: Memory
    ) -> None:
        self.index = index
        self.find = find
        self.spec = spec
        self.written = written
        self._memory = memory
        self.keep = False
        """Whether the bytes are needed after the call, so that a copy must not be made in the same place again."""
        self.storage: Storage | None = None
        """What holds the bytes that the program works on in this run: the tensor's own storage, or a copy."""
        self._bound: Callable[[], Storage | None] = _nothing
        """What the pointer is of, as long as that lives: arguments of earlier calls are not kept."""
        self._staging: Storage | None = None
        self._staged_at = 0
        self._original: Tensor | None = None

    def prepare(self, leaves: Sequence[Any], changes: Changes) -> None:
        """Points the buffer at this call's tensor."""
        tensor = self.find(leaves)
        storage = tensor._storage
        if tensor._view is None:
            self.storage = storage
            if storage is self._bound():
                return
            address = self._memory.address(storage)
            if address is not None:
                self._bound = ref(storage)
                changes.append((self.index, address))
                return
        memory = self._memory
        if self._staging is None or self.keep:
            buffer, self._staged_at = memory.empty(*layout_of(self.spec))
            self._staging = memory.storage(buffer, self.spec)
        memory.copy(memory.buffer(self._staging), memory.buffer(storage, tensor._view))
        self.storage = self._staging
        self._bound = _nothing
        self._original = tensor
        changes.append((self.index, self._staged_at))

    def let_go(self) -> None:
        """After every run."""
        self.storage = self._original = None

    def unbind(self) -> None:
        """After a run that has failed, perhaps before pointers were changed."""
        self._bound = _nothing

    def finish(self) -> None:
        """After a run that wrote to it."""
        assert self.storage is not None
        self.storage.version += 1
        if self._original is not None:
            memory, home = self._memory, self._original._storage
            memory.copy(memory.buffer(home, self._original._view), memory.buffer(self.storage))
            home.version += 1


class Failure(NamedTuple):
    """A check that failed in a run."""

    error: Exception
    changed: bool
    """Whether the run may have updated state all the same."""


class Failures:
    """The record that a program's checks write to, and what it means."""

    def __init__(self, checks: Checks, late: Collection[int], memory: Memory) -> None:
        self._checks = checks.made
        self._late = late
        """Checks in front of which a run may have updated state."""
        self._memory = memory
        self._record = memory.buffer(checks.record)
        self._first = memory.cell(self._record, "i64")

    def left(self) -> bool:
        """Leaves the record of the run under way to whoever looks at its results, where runs go on after calls."""
        return self._memory.watch(self._error)

    def _error(self) -> Exception | None:
        failure = self.found()
        return None if failure is None else failure.error

    def found(self) -> Failure | None:
        """What failed in the run that has just ended, if anything; empties the record."""
        if not self._first.value:
            return None
        number, position, value = cast("list[int]", self._memory.read(self._record).tolist())
        self._memory.fill(self._record, 0)
        changed = number in self._late
        return Failure(self._checks[number - 1].raised(position, value, changed), changed)


class Launch:
    """One program bound to the memory of one traced function."""

    def __init__(
        self,
        program: Program,
        inputs: Sequence[Input],
        updated: Sequence[Input],
        results: Sequence[TensorSpec],
        own: Sequence[int],
        copies: Sequence[Copy],
        memory: Memory,
        failures: Failures | None = None,
        lock: LockType | None = None,
    ) -> None:
        """`lock` is shared by those that share a record of errors."""
        self._call = program.bind()
        self._memory = memory
        self._empty, self._new_storage = memory.empty, memory.storage  # what every call asks for
        self._begin = None if memory.target is None else memory.begin
        self._failures = failures
        self._lock = lock or threading.Lock()
        self._slots: list[ArgumentBuffer] = []
        self._by_input: dict[Input, ArgumentBuffer] = {}
        self._kept: list[Input] = []
        self._states: list[Storage] = []
        self._constants: dict[Input, Storage] = {}
        """Memory that pointers stay at."""
        self._written = written = set(updated)
        finders = [(k, source, find) for k, source in enumerate(inputs) if (find := _number_finder(source)) is not None]
        self._find_numbers = [find for _, _, find in finders]
        self._numbers = memory.numbers([source.spec for _, source, _ in finders])
        self._scalar_buffers = {source: buffer for (_, source, _), buffer in zip(finders, self._numbers.buffers)}
        for (index, _, _), address in zip(finders, self._numbers.addresses):
            self._call.set(index, address)
        for index, source in enumerate(inputs):
            if source in self._scalar_buffers:
                continue
            if source.storage is not None and source.leaf is None and source.gradient_of is None:
                address = memory.address(source.storage)
                if address is not None:
                    self._constants[source] = source.storage
                    self._call.set(index, address)
                    if source in written:
                        self._states.append(source.storage)
                else:
                    self._add_slot(index, source, _constant(source.storage), source in written)
            else:
                self._add_slot(index, source, _finder(source), source in written)
        self._written_slots = [slot for slot in self._slots if slot.written]
        self._results = list(results)
        self._layouts = [layout_of(spec) for spec in results]
        self._buffers = [(len(inputs) + k, number) for k, number in enumerate(own)]
        self._copies = list(copies)
        self._waits = any(not isinstance(copy.target, int) for copy in copies)
        """Whether the call itself goes on to change state, which it may not where the run has failed."""

    def _add_slot(self, index: int, source: Input, find: Callable[[Sequence[Any]], Tensor], written: bool) -> None:
        slot = ArgumentBuffer(index, find, source.spec, written, self._memory)
        self._slots.append(slot)
        self._by_input[source] = slot

    def run(self, leaves: Sequence[Any]) -> tuple[list[Storage], list[Storage]]:
        """The memory of the results after one run, and of the arguments that are kept."""
        with self._lock:
            try:
                return self._run(leaves)
            except BaseException:
                for slot in self._slots:
                    slot.unbind()
                raise
            finally:
                for slot in self._slots:
                    slot.let_go()

    def _run(self, leaves: Sequence[Any]) -> tuple[list[Storage], list[Storage]]:
        changes: Changes = []
        if self._begin is not None:
            self._begin()
        for slot in self._slots:
            slot.prepare(leaves, changes)
        if self._find_numbers:
            self._numbers.send([find(leaves) for find in self._find_numbers])
        empty, storage_of = self._empty, self._new_storage
        allocated = [empty(*layout) for layout in self._layouts]
        buffers = [buffer for buffer, _ in allocated]
        for index, number in self._buffers:
            changes.append((index, allocated[number][1]))
        before = [self._before(c.source) if c.before else None for c in self._copies] if self._copies else []
        old = [self._copied(x) if x in self._written else None for x in self._kept] if self._kept else []
        self._call.run(changes)
        failure = None
        if self._failures is not None and (self._waits or not self._failures.left()):
            failure = self._failures.found()
        if failure is not None and not failure.changed:
            raise failure.error
        for copy, taken in zip(self._copies, before):
            source = self._buffer(copy.source, buffers) if taken is None else taken
            self._memory.copy(self._buffer(copy.target, buffers), source)
        for storage in self._states:
            storage.version += 1
        for slot in self._written_slots:
            slot.finish()
        if failure is not None:
            failure.error.changed_state = True  # pyright: ignore[reportAttributeAccessIssue]
            raise failure.error
        kept = [self._storage_of(x) if copy is None else copy for x, copy in zip(self._kept, old)] if old else []
        return [storage_of(buffer, spec) for buffer, spec in zip(buffers, self._results)], kept

    def keep(self, source: Input) -> None:
        """Says that an argument's bytes are needed after the call, as they were before it."""
        self._kept.append(source)
        if source in self._by_input:
            self._by_input[source].keep = True

    def _storage_of(self, source: Input) -> Storage:
        """What holds an argument in this run; of a run-time number, a copy."""
        if source in self._scalar_buffers:
            return self._copy_of(self._scalar_buffers[source], source.spec)
        slot = self._by_input.get(source)
        found = self._constants.get(source) if slot is None else slot.storage
        assert found is not None
        return found

    def _copied(self, source: Input) -> Storage:
        return self._copy_of(self._memory.buffer(self._storage_of(source)), source.spec)

    def _copy_of(self, buffer: Any, spec: TensorSpec) -> Storage:
        return copied(self._memory, buffer, spec)[0]

    def _before(self, place: Input | int) -> Any:
        """A copy of what an argument holds before the run."""
        assert not isinstance(place, int)
        return self._memory.buffer(self._copied(place))

    def _buffer(self, place: Input | int, buffers: Sequence[Any]) -> Any:
        return buffers[place] if isinstance(place, int) else self._memory.buffer(self._storage_of(place))


def _number_finder(source: Input) -> Callable[[Sequence[Any]], float] | None:
    getter, leaf = source.getter, source.leaf
    if getter is not None:
        return lambda leaves: getter()
    if leaf is not None and source.is_number:
        return itemgetter(leaf)
    return None


def _constant(storage: Storage) -> Callable[[Sequence[Any]], Tensor]:
    from ..tensor import wrap

    tensor: Tensor = wrap(storage, storage.spec)
    return lambda leaves: tensor


def _base(tensor: Tensor) -> Tensor:
    from ..tensor import wrap

    return tensor if tensor._view is None else wrap(tensor._storage, tensor._storage.spec)


def _finder(source: Input) -> Callable[[Sequence[Any]], Tensor]:
    leaf, owner = source.leaf, source.gradient_of
    if leaf is not None:
        if source.whole:
            return lambda leaves: _base(leaves[leaf])
        return lambda leaves: leaves[leaf]

    def gradient(leaves: Sequence[Any]) -> Tensor:
        tensor: Any = leaves[owner] if isinstance(owner, int) else referent(owner)
        return tensor._grad

    return gradient
