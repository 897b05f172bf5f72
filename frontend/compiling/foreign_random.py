"""Numbers drawn from Python's and numpy's generators: in a trace they are constants, good for the call that draws them.

if random.random() < 0.5:            teacher forcing: every call is traced, and runs one of two programs
lam = np.random.beta(0.2, 0.2)       mixup: a program each call; handed in as an argument, one for all
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

GENERATORS = (random.Random, np.random.Generator, np.random.RandomState)

SHARED: tuple[Any, ...] = (random._inst, np.random.mtrand._rand)  # type: ignore[attr-defined]
"""Those that the functions of the two modules draw from."""

_Access = tuple[Callable[[], Any], Callable[[Any], object]]
"""How to get and set a state."""


def _access(generator: Any) -> _Access:
    if isinstance(generator, np.random.Generator):
        bits: Any = generator.bit_generator
        return lambda: bits.state, lambda state: setattr(bits, "state", state)
    if isinstance(generator, random.Random):
        return generator.getstate, generator.setstate
    return generator.get_state, generator.set_state


class Draws:
    """Whether numbers are drawn from now on: from the generators of the two modules, or from some more."""

    def __init__(self, generators: Iterable[Any]) -> None:
        shared: list[_Access] = [(random.getstate, random.setstate), (np.random.get_state, np.random.set_state)]
        self._before = [(get, put, get()) for get, put in (*shared, *map(_access, generators))]

    def happened(self) -> bool:
        """Whether any generator has another state than in the beginning."""
        return any(pickle.dumps(get()) != pickle.dumps(state) for get, _, state in self._before)

    def take_back(self) -> None:
        """Puts all generators where they were."""
        for _, put, state in self._before:
            put(state)


__all__ = ["GENERATORS", "Draws"]
