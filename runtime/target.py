"""The machine irtool runs on, as a Target."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..passes.target import TARGETS, Target
from .threads import available_cores
from .toolchain import Compiler, find_compiler

BY_FEATURE = (("__AVX512F__", "avx512"), ("__AVX2__", "avx2"), ("__ARM_NEON", "neon"))
"""The best preset whose macro the compiler defines under -march=native."""

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1024, "M": 1024 * 1024}


def detect_target() -> Target:
    """The target of this machine. Needs the C compiler, whose idea of the machine counts."""
    return _detect(find_compiler(), available_cores())


@lru_cache(maxsize=8)
def _detect(compiler: Compiler, cores: int) -> Target:
    name = next((name for macro, name in BY_FEATURE if macro in compiler.features), "generic")
    target = TARGETS[name]
    sizes = cache_sizes()
    return replace(target, l1=sizes.get(1, target.l1), l2=sizes.get(2, target.l2), cores=cores)


def cache_sizes(folder: Path = _CACHES) -> dict[int, int]:
    """Bytes of the data caches of the first core, by level; empty where the system does not tell."""
    sizes: dict[int, int] = {}
    try:
        for index in folder.glob("index*"):
            if (index / "type").read_text().strip() == "Instruction":
                continue
            size = (index / "size").read_text().strip()
            sizes[int((index / "level").read_text())] = int(size.rstrip("KM")) * _UNITS.get(size[-1], 1)
    except (OSError, ValueError):
        return {}
    return sizes
