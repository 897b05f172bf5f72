"""Sequences of random numbers: one counter-based generator, so that eager and compiled code draw the same numbers.

The state is an ordinary tensor (seed, offset). Whoever draws n numbers reads it and moves the offset on by n, in place:
tracing captures that as it captures any other state. Each device has a sequence of its own, which begins with the same
seed.
"""

from __future__ import annotations

import time
from collections.abc import Generator as Yields
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..dialects.types import TensorSpec, i64
from ..runtime.device_memory import heap, is_open
from . import eager, grad_mode
from .creation import from_array
from .devices import CPU, device, place
from .dispatch import builder
from .eager import on_host
from .modes import modes
from .ops.in_place import copy_
from .tensor import Tensor, wrap
from .writes import write

STATE = TensorSpec((2,), i64)
FIRST_SEED = 67280421310721


def _words(seed: int) -> np.ndarray[Any, Any]:
    return np.array([seed & (1 << 64) - 1, 0], np.uint64).view(np.int64)


def _beginning(seed: int, where: device) -> Tensor:
    return wrap(eager.stored(_words(seed), STATE, where), STATE)


class Generator:
    """A sequence of random numbers of its own."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = place(device)
        self.state = _beginning(FIRST_SEED, self.device)

    def manual_seed(self, seed: int) -> Generator:
        """Starts the sequence that belongs to this seed."""
        seed = checked_seed(seed)
        value = from_array(_words(seed), self.device)
        before = grad_mode.switch(False)
        try:
            write(self.state, value)
        finally:
            grad_mode.switch(before)
        return self

    def seed(self) -> int:
        """Starts a sequence that nobody can foretell, and returns its seed."""
        seed = new_seed()
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that the sequence was started with."""
        return int(on_host(self.state)[0]) & (1 << 64) - 1

    def get_state(self) -> Tensor:
        """What set_state needs to go on from here."""
        return self.state.clone()

    def set_state(self, new_state: Tensor) -> Generator:
        """Goes on from where get_state was called."""
        copy_(self.state, new_state)
        return self

    def take(self, count: int) -> Tensor:
        """The state to draw `count` numbers with; moves on behind them."""
        before = grad_mode.switch(False)
        try:
            state = self.state.clone()
            if modes.trace is None:
                eager.increment(self.state, count, at=1)
                self.state._storage.version += 1
            else:
                step = builder.constant(np.array([0, count], np.int64), (2,), i64)
                write(self.state, builder.add(state, step))
        finally:
            grad_mode.switch(before)
        return state


def checked_seed(seed: Any) -> int:
    """A seed as a whole number. Raises RuntimeError for one that does not fit."""
    seed = int(seed)
    if not -(1 << 63) <= seed < 1 << 64:
        raise RuntimeError("Overflow when unpacking long")
    return seed


def new_seed() -> int:
    """One that nobody can foretell."""
    return time.time_ns() & (1 << 63) - 1


default_generator = Generator()
"""That of the CPU."""


class _Sequences:
    """The sequences of other devices, each made when first drawn from; `seed` is what it then begins with."""

    generators: dict[device, Generator] = {}
    seed = FIRST_SEED


def generator_at(where: device | None = None) -> Generator:
    """The default sequence of a device; of the one where new tensors go, where none is named."""
    where = place(where)
    if where is CPU:
        return default_generator
    found = _Sequences.generators.get(where)
    if found is None:
        found = Generator(where)
        found.state = _beginning(_Sequences.seed, where)  # where a trace draws first, not a write of each call
        _Sequences.generators[where] = found
    return found


def generators() -> Sequence[Generator]:
    """All default sequences that have been drawn from."""
    return [default_generator, *(_Sequences.generators.values() if is_open() else ())]


def manual_seed_elsewhere(seed: Any) -> None:
    """Makes what follows on other devices repeatable."""
    _Sequences.seed = checked_seed(seed)
    if heap_is_ours():
        for found in _Sequences.generators.values():
            found.manual_seed(_Sequences.seed)


def heap_is_ours() -> bool:
    """Whether the device at hand has sequences, and not those of a parent process, as in workers of a DataLoader."""
    return bool(_Sequences.generators) and is_open() and heap().is_ours()


def manual_seed(seed: Any) -> Generator:
    """Makes what follows repeatable, on all devices."""
    manual_seed_elsewhere(seed)
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Makes what follows unpredictable."""
    found = new_seed()
    manual_seed(found)
    return found


def initial_seed() -> int:
    """The seed in use."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Sets the state of the default generator."""
    default_generator.set_state(new_state)


def states() -> list[Tensor]:
    """Where all default sequences are at."""
    return [found.get_state() for found in generators()]


def set_states(before: Sequence[Tensor]) -> None:
    """Goes on from where `states` was called; sequences that have begun since, from their beginning."""
    for k, found in enumerate(generators()):
        if k < len(before):
            found.set_state(before[k])
        else:
            found.manual_seed(_Sequences.seed)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cpu") -> Yields[None]:
    """Inside, random numbers may be drawn that the sequences outside do not notice."""
    before = states() if enabled else None
    try:
        yield
    finally:
        if before is not None:
            set_states(before)


__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "generator_at",
    "generators",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "manual_seed_elsewhere",
    "new_seed",
    "seed",
    "set_rng_state",
    "set_states",
    "states",
]
