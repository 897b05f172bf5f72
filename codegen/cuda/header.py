"""The header of primitives that generated CUDA C calls: its files, and how they become part of a text.

Each primitive has two bodies, CUDA's and the emulator's, which `IRTOOL_EMULATED` tells apart. Only these files hold
inline assembly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .vectors import vector_functions

FOLDER = Path(__file__).resolve().parent
FILES = ("scalars", "vectors", "block", "async", "tensor")
"""In the order in which they include one another."""
MACRO = "IRTOOL_EMULATED"


@cache
def file_text(name: str) -> str:
    """A file of the header, without what keeps it from being included twice."""
    lines = (FOLDER / f"{name}.cuh").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(("#pragma once", "#include"))) + "\n"


@cache
def device_text(name: str) -> str:
    """A file of the header with CUDA's bodies alone."""
    return "\n".join(_for_device(file_text(name).splitlines())) + "\n"


def _for_device(lines: list[str]) -> Iterator[str]:
    kept: list[bool | None] = []
    """Of each conditional that is open: whether what comes is kept; None where it is not about the emulator."""
    for line in lines:
        directive = line.lstrip("# ").split("//")[0].split()
        word = directive[0] if line.startswith("#") and directive else ""
        ours: bool | None = None
        if word in ("if", "ifdef", "ifndef"):
            ours = word == "ifndef" if directive[1:] == [MACRO] else None
            kept.append(ours)
            if ours is not None:
                continue
        elif word in ("else", "endif") and kept:
            ours = kept.pop()
            if word == "else":
                kept.append(None if ours is None else not ours)
            if ours is not None:
                continue
        if False not in kept:
            yield line


_MENTIONED = {
    "vectors": re.compile(r"\b(?:\w+_)?v\d+[a-z]\b"),
    "block": re.compile(r"\b(?:block_\w+|sync_first)<"),
    "async": re.compile(r"\bcopy_async"),
    "tensor": re.compile(r"\b(?:load_matrices|mma_|round_to_tf32)"),
}
"""What a text has that needs a file."""


def files_for(text: str) -> tuple[str, ...]:
    """The files of the header that a text needs."""
    return tuple(name for name in FILES if name not in _MENTIONED or _MENTIONED[name].search(text))


def with_header(text: str, emulated: bool = False) -> str:
    """A text of kernels with the primitives that it needs in front of it."""
    read = file_text if emulated else device_text
    parts = [*(read(name) for name in files_for(text)), vector_functions(text)]
    return "".join(part + "\n" for part in parts if part) + text
