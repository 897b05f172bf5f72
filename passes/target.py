"""What passes need to know about a machine, as data, and what pays on it, as questions.

A pass names a figure of the machine, or `profitability`, as a field of its own; `make_pass` fills it in:

    vector_bits: int = vector_width()
    profitability: Profitability = field(default_factory=default_profitability)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from xdsl.ir import Operation

from . import profitability_by_name

KIB = 1024


class Profitability(Protocol):
    """What passes that all targets share ask of the target. A worker is what runs a kernel that is not shared among
    several: a thread of a CPU, a block of a GPU."""

    def one_worker(self, elements: int, ops: int = 1) -> bool:
        """Whether a kernel of `ops` over so many elements is one worker's: then its ops need no common index space."""
        ...

    def rows_suffice(self, rows: int, elements: int) -> bool:
        """Whether a loop over so many rows, of so many elements in all, may keep reductions together with what depends
        on them: with few rows, few workers share it."""
        ...

    def keeps_row(self, size: int) -> bool:
        """Whether a worker has room of its own for a temporary of `size` bytes."""
        ...

    def divides_rows(self, slices: int, updates: int) -> bool:
        """Whether workers divide the rows that a scatter writes to, each looking at all of its `updates`, rather than
        its `slices` that do not depend on one another."""
        ...

    def takes_neighbours(self, strips: int) -> bool:
        """Whether all threads have something to do where each takes a strip of neighbouring elements, of so many."""
        ...

    def sorts_together(self, size: int) -> int:
        """How many elements of `size` bytes a worker's threads sort together, each element with its place; 0 where each
        worker is one thread."""
        ...

    def in_lanes(self, loop: Operation) -> bool:
        """Whether the iterations of a loop will become lanes of vectors."""
        ...

    def weight(self, op: Operation) -> int:
        """Roughly how many simple operations one of these costs."""
        ...


@dataclass(frozen=True)
class Machine:
    """Figures of a machine."""

    kind: ClassVar[str]
    """Of what kind it is, which decides what pays on it."""

    @cached_property
    def profitability(self) -> Profitability:
        """What pays on it."""
        return profitability_by_name(self.kind)()

    def options(self) -> dict[str, int]:
        """The fields by name, as pass options take them."""
        return asdict(self)

    def figures(self) -> dict[str, Any]:
        """All that a pass may name."""
        return {**self.options(), "profitability": self.profitability}


@dataclass(frozen=True)
class Target(Machine):
    """A CPU: the vector unit, the caches a core has to itself, and the number of cores."""

    kind = "cpu"

    vector_bits: int = 128
    registers: int = 16
    l1: int = 32 * KIB
    l2: int = 256 * KIB
    cores: int = 2

    @property
    def lanes(self) -> int:
        """How many f32 a vector register holds; vectors of 64-bit elements have as many lanes."""
        return self.vector_bits // 32


@dataclass(frozen=True)
class GPUTarget(Machine):
    """A GPU: its multiprocessors, and what each of them and each block has."""

    kind = "gpu"
    capability: int = 80
    """Compute capability, times ten."""
    multiprocessors: int = 108
    max_threads: int = 1024
    """Of a block."""
    shared_bytes: int = 48 * KIB
    """Memory that the threads of a block share, without asking for more."""
    vector_bits: int = 128
    """The widest access of one thread."""
    workspace_bytes: int = 64 << 20
    """In which the kernels of a step have workspaces of their own: what does not depend on one another runs at once."""
    tensor_cores: int = 1
    """Whether warps multiply small matrices."""
    tf32: int = 0
    """Whether products of floats of 32 bits may be of their first 11 bits alone."""
    attention_kernels: int = 1
    """Whether attention is a kernel of its own, which keeps no scores."""


TARGETS = MappingProxyType(
    {
        "avx512": Target(vector_bits=512, registers=32, l1=48 * KIB, l2=1024 * KIB),
        "avx2": Target(vector_bits=256, registers=16, l1=32 * KIB, l2=512 * KIB),
        "neon": Target(vector_bits=128, registers=32, l1=64 * KIB, l2=1024 * KIB),
        "generic": Target(),
    }
)
"""Named machines, so that tests of passes give the same text everywhere."""

GPUS = MappingProxyType(
    {
        "sm_80": GPUTarget(),
        "sm_90a": GPUTarget(capability=90, multiprocessors=132),
    }
)
"""The same for GPUs."""

DEFAULT = TARGETS["avx512"]
"""What passes assume that are told of no machine."""


FIGURES = frozenset(name for machine in (DEFAULT, GPUS["sm_80"]) for name in (*machine.options(), "profitability"))
"""What a pass may name of a machine."""


def default_profitability() -> Profitability:
    """The answers of that machine."""
    return DEFAULT.profitability
