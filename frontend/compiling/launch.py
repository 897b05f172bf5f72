"""Running a compiled program: memory in, memory out, as little Python in between as possible."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from weakref import ref

import numpy as np

from ...dialects.types import TensorSpec
from ...runtime.storage import Storage, aligned_empty
from .. import dispatch
from ..tracing.trace import Input
from .weak import referent

if TYPE_CHECKING:
    from ..tensor import Tensor
    from ..tracing.checks import Checks
    from .traced import Copy

Array = np.ndarray[Any, Any]
Changes = list[tuple[int, int]]
"""Pointers to change before a run: buffer number, address."""

ELSEWHERE: Array = np.empty(0, np.uint8)
"""Stands for the bytes of a view that each call brings along."""

CTYPES: dict[str, Any] = {
    "f32": ctypes.c_float,
    "f64": ctypes.c_double,
    "i64": ctypes.c_int64,
    "i32": ctypes.c_int32,
    "u8": ctypes.c_uint8,
    "i1": ctypes.c_bool,
}


def _nothing() -> None:
    """What a reference to nothing gives."""


class Bound(Protocol):
    """A program with its pointers."""

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        ...

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then runs."""
        ...


class Launchable(Protocol):
    """A program: arguments in order, then results that update no argument."""

    def bind(self) -> Bound:
        """A call with pointers to fill."""
        ...


class Scalar:
    """A number that is another one on each call."""

    def __init__(self, find: Callable[[Sequence[Any]], float], spec: TensorSpec) -> None:
        self.array = aligned_empty(spec)
        self._cell = CTYPES[spec.dtype.name].from_address(address_of(self.array))
        self.address = address_of(self.array)
        self._find = find

    def fill(self, leaves: Sequence[Any]) -> None:
        """Puts this call's number where the program reads it."""
        self._cell.value = self._find(leaves)


class Slot:
    """A buffer that can be another tensor's on each call; views and unaligned bytes go through a copy."""

    def __init__(self, index: int, find: Callable[[Sequence[Any]], Tensor], spec: TensorSpec, written: bool) -> None:
        self.index = index
        self.find = find
        self.spec = spec
        self.written = written
        self.keep = False
        """Whether the bytes are needed after the call, so that a copy must not be made in the same place again."""
        self.storage: Storage | None = None
        """What holds the bytes that the program works on in this run: the tensor's own storage, or a copy."""
        self._bound: Callable[[], Storage | None] = _nothing
        """What the pointer is of, as long as that lives: arguments of earlier calls are not kept."""
        self._staging: Storage | None = None
        self._original: Tensor | None = None

    def prepare(self, leaves: Sequence[Any], changes: Changes) -> None:
        """Points the buffer at this call's tensor."""
        tensor = self.find(leaves)
        storage = tensor._storage
        if tensor._view is None:
            self.storage = storage
            if storage is self._bound():
                return
            if storage.align():
                self._bound = ref(storage)
                changes.append((self.index, storage.address))
                return
        if self._staging is None or self.keep:
            self._staging = Storage(aligned_empty(self.spec), self.spec)
        assert self._staging.array is not None
        np.copyto(self._staging.array, dispatch.array_of(tensor))
        self.storage = self._staging
        self._bound = _nothing
        self._original = tensor
        changes.append((self.index, self._staging.address))

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
        if self._original is not None and self.storage.array is not None:
            np.copyto(dispatch.array_of(self._original), self.storage.array)
            self._original._storage.version += 1


class Failure(NamedTuple):
    """A check that failed in a run."""

    error: Exception
    changed: bool
    """Whether the run may have updated state all the same."""


class Failures:
    """The record that a program's checks write to, and what it means."""

    def __init__(self, checks: Checks, late: Collection[int]) -> None:
        self._checks = checks.made
        self._late = late
        """Checks in front of which a run may have updated state."""
        array = checks.record.array
        assert array is not None
        self._record: Array = array
        self._first = ctypes.c_int64.from_address(address_of(array))

    def found(self) -> Failure | None:
        """What failed in the run that has just ended, if anything; empties the record."""
        if not self._first.value:
            return None
        number, position, value = cast("list[int]", self._record.tolist())
        self._record[:] = 0
        changed = number in self._late
        return Failure(self._checks[number - 1].raised(position, value, changed), changed)


class Launch:
    """One program bound to the memory of one traced function."""

    def __init__(
        self,
        program: Launchable,
        inputs: Sequence[Input],
        updated: Sequence[Input],
        results: Sequence[TensorSpec],
        own: Sequence[int],
        copies: Sequence[Copy],
        failures: Failures | None = None,
    ) -> None:
        self._call = program.bind()
        self._failures = failures
        self._lock = threading.Lock()
        self._slots: list[Slot] = []
        self._by_input: dict[Input, Slot] = {}
        self._kept: list[Input] = []
        self._scalars: list[Scalar] = []
        self._scalar_arrays: dict[Input, Array] = {}
        self._states: list[Storage] = []
        self._written = written = set(updated)
        for index, source in enumerate(inputs):
            find_number = _number_finder(source)
            if find_number is not None:
                scalar = Scalar(find_number, source.spec)
                self._scalars.append(scalar)
                self._scalar_arrays[source] = scalar.array
                self._call.set(index, scalar.address)
            elif source.storage is not None and source.leaf is None and source.gradient_of is None:
                if source.storage.align():
                    self._call.set(index, source.storage.address)
                    if source in written:
                        self._states.append(source.storage)
                else:
                    self._add_slot(index, source, _constant(source.storage), source in written)
            else:
                self._add_slot(index, source, _finder(source), source in written)
        self._written_slots = [slot for slot in self._slots if slot.written]
        self._results = list(results)
        self._buffers = [(len(inputs) + k, number) for k, number in enumerate(own)]
        self._copies = list(copies)

    def _add_slot(self, index: int, source: Input, find: Callable[[Sequence[Any]], Tensor], written: bool) -> None:
        slot = Slot(index, find, source.spec, written)
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
        for slot in self._slots:
            slot.prepare(leaves, changes)
        for scalar in self._scalars:
            scalar.fill(leaves)
        arrays = [aligned_empty(spec) for spec in self._results]
        for index, number in self._buffers:
            changes.append((index, address_of(arrays[number])))
        before = [self._array(c.source, arrays).copy() if c.before else None for c in self._copies]
        old = [self._copied(source) if source in self._written else None for source in self._kept]
        self._call.run(changes)
        failure = None if self._failures is None else self._failures.found()
        if failure is not None and not failure.changed:
            raise failure.error
        for copy, taken in zip(self._copies, before):
            source = self._array(copy.source, arrays) if taken is None else taken
            np.copyto(self._array(copy.target, arrays), source)
        for storage in self._states:
            storage.version += 1
        for slot in self._written_slots:
            slot.finish()
        if failure is not None:
            failure.error.changed_state = True  # pyright: ignore[reportAttributeAccessIssue]
            raise failure.error
        kept = [self._storage_of(source) if copy is None else copy for source, copy in zip(self._kept, old)]
        return [Storage(array, spec) for array, spec in zip(arrays, self._results)], kept

    def keep(self, source: Input) -> None:
        """Says that an argument's bytes are needed after the call, as they were before it."""
        self._kept.append(source)
        if source in self._by_input:
            self._by_input[source].keep = True

    def _storage_of(self, source: Input) -> Storage:
        """What holds an argument in this run; of a run-time number, a copy."""
        if source in self._scalar_arrays:
            return _copy(self._scalar_arrays[source], source.spec)
        slot = self._by_input.get(source)
        found = source.storage if slot is None else slot.storage
        assert found is not None
        return found

    def _copied(self, source: Input) -> Storage:
        found = self._storage_of(source).array
        assert found is not None
        return _copy(found, source.spec)

    def _array(self, place: Input | int, arrays: Sequence[Array]) -> Array:
        if isinstance(place, int):
            return arrays[place]
        found = self._storage_of(place).array
        assert found is not None
        return found


def _copy(array: Array, spec: TensorSpec) -> Storage:
    new = aligned_empty(spec)
    np.copyto(new, array)
    return Storage(new, spec)


def address_of(array: Array) -> int:
    """Where the bytes of an array lie."""
    return int(array.__array_interface__["data"][0])


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
