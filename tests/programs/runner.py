"""Runs a program of this folder on the package that is to stand for `torch`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILES = ("images", "sequences", "attention", "adversaries", "training", "science", "estimates", "objects")

Wrap = Callable[[Any], Any]


@contextmanager
def standing_for_torch(package: Any, folder: Path = HERE, files: Sequence[str] = ("common", *FILES)) -> Generator[None]:
    """`import torch` gives the package, and what the programs import from their folder is new; afterwards all is as it
    was before."""
    stands_in = sys.modules.get("torch") is not package

    def is_own(name: str) -> bool:
        return name in files or (stands_in and name.partition(".")[0] == "torch")

    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if is_own(name)}
    sys.modules["torch"] = package
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in filter(is_own, list(sys.modules)):
            del sys.modules[name]
        sys.modules.update(hidden)


def programs(package: Any) -> list[str]:
    """The names of all programs: `images.unet`."""
    with standing_for_torch(package):
        return [f"{file}.{program.__name__}" for file in FILES for program in import_module(file).PROGRAMS]


def run(package: Any, name: str, wrap: Wrap = lambda function: function) -> list[float]:
    """What a program records, where `wrap` is done to the functions that it compiles."""
    file, _, program = name.partition(".")
    with standing_for_torch(package):
        module = import_module(file)
        common = import_module("common")
        common.wrap = wrap
        package.manual_seed(0)
        getattr(module, program)()
        return list(common.RESULTS)
