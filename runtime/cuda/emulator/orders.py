"""In which order the emulator runs blocks and threads, which no result may depend on.

IRTOOL_CUDA_ORDER=all       each launch in all three at first, later in one, taking turns (what holds by default)
IRTOOL_CUDA_ORDER=every     each launch in all three, each time
IRTOOL_CUDA_ORDER=forward, reverse, random, random:SEED
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "IRTOOL_CUDA_ORDER"
KINDS = {"forward": 0, "reverse": 1, "random": 2}
ALL = 3
"""All three, from the same state, which must leave the same bytes."""
FIRST = 1
"""So many times each launch is run in all orders, the first of them checked."""


@dataclass(frozen=True)
class Order:
    """What one launch is run as."""

    kind: int
    seed: int
    checked: bool
    """Whether every access is checked, which finds races and dependencies exactly, whatever the order."""


class Orders:
    """The order of each launch, by how often it has been run."""

    def __init__(self, chosen: str | None = None) -> None:
        chosen = os.environ.get(VARIABLE, "all") if chosen is None else chosen
        self._kind, _, seed = chosen.partition(":")
        if self._kind not in (*KINDS, "all", "every") or (seed and not seed.isdigit()):
            raise ValueError(f"{VARIABLE}={chosen}: expected all, every, forward, reverse, random or random:SEED")
        self._seed = int(seed or 0)

    def at(self, count: int) -> Order:
        """Of a launch that has been run `count` times before."""
        seed = self._seed + count
        if self._kind in KINDS:
            return Order(KINDS[self._kind], seed, True)
        if self._kind == "every" or count < FIRST:
            return Order(ALL, seed, True)
        return Order(count % 3, seed, False)
