"""What passes need to know about a machine, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType

KIB = 1024


@dataclass(frozen=True)
class Target:
    """A CPU: the vector unit, the caches a core has to itself, and the number of cores."""

    vector_bits: int = 128
    registers: int = 16
    l1: int = 32 * KIB
    l2: int = 256 * KIB
    cores: int = 2

    @property
    def lanes(self) -> int:
        """How many f32 a vector register holds; vectors of 64-bit elements have as many lanes."""
        return self.vector_bits // 32

    def options(self) -> dict[str, int]:
        """The fields by name, as pass options take them."""
        return asdict(self)


TARGETS = MappingProxyType(
    {
        "avx512": Target(vector_bits=512, registers=32, l1=48 * KIB, l2=1024 * KIB),
        "avx2": Target(vector_bits=256, registers=16, l1=32 * KIB, l2=512 * KIB),
        "neon": Target(vector_bits=128, registers=32, l1=64 * KIB, l2=1024 * KIB),
        "generic": Target(),
    }
)
"""Named machines, so that tests of passes give the same text everywhere."""
