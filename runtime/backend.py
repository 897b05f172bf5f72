"""The seam of a target: how a module becomes a program there. One class a target, found by name.

    traced ─ pipeline ─> the target's last level ─ translate ─> text ─ build ─> something to load ─ load ─> a Program
                                                                               launch: program.bind(), call.run()

`irtool.compile(target=...)` and the commands (`opt --pipeline`, `translate --to`, `run --target`, `doctor`) ask this
table and nothing else. To add a target: a class like those, and `register` or a row in BACKENDS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ..passes.pipeline import Pipeline
    from ..passes.target import Machine
    from .lowering import Lowered
    from .profile import Profile


class Call(Protocol):
    """A program with its pointers: one for each argument, then one for each result that updates no argument."""

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        ...

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then runs."""
        ...


class Program(Protocol):
    """A program that can be launched.

    Its plan has `arguments` (shape and dtype of the buffers that the caller passes first, in order), then comes one
    buffer for each result that is no state, `buffers` in all; `results[k]` says where result k is: {"argument": i} for
    state, updated in place, or {"buffer": j}, with its shape and dtype. `errors` names the argument that is the record
    of errors, and the checks that come after a change of state (`late`).
    """

    plan: Mapping[str, Any]

    def bind(self) -> Call:
        """A call with pointers to fill."""
        ...


class TimedProgram(Program, Protocol):
    """A program that measures its kernels."""

    def reset(self) -> None:
        """Forgets the time so far."""
        ...

    def report(self, runs: int) -> Profile:
        """The mean time of each kernel over so many runs since the last reset."""
        ...


@dataclass(frozen=True)
class Translation:
    """The text of a program, and what a launch and reports need to know of it."""

    plan: dict[str, Any]
    sources: dict[str, str]
    """By file name."""


class UnsupportedTarget(ValueError):
    """A target that this machine or this version cannot compile for."""


class Backend(ABC):
    """A target."""

    name: ClassVar[str]
    """What users call it."""
    pipeline: ClassVar[Pipeline]
    language: ClassVar[str | None] = None
    """What `irtool translate --to` calls its text; None where it has none."""
    machines: ClassVar[Mapping[str, Machine]] = {}
    """Named machines to plan for, so that texts are the same everywhere."""

    def machine(self) -> Machine:
        """The figures of the machine at hand, for the options that passes name."""
        from ..passes.target import Target

        return Target()

    def identity(self) -> str:
        """What of tools and machine decides how a program is built."""
        return ""

    @abstractmethod
    def translate(self, module: ModuleOp) -> Translation:
        """The text of a module at any level, which is left as it is."""

    def build(self, key: str, module: ModuleOp) -> Any:
        """What `load` takes, of a module at any level: from a cache, by the key, or made anew. Here, its text."""
        return self.translate(module)

    @abstractmethod
    def load(self, built: Any) -> Program:
        """A program to launch."""

    def profiled(self, module: ModuleOp) -> TimedProgram:
        """The program of a module at any level, which keeps the time of its kernels. Raises RuntimeError where it has
        none."""
        raise RuntimeError(f"programs for the target {self.name!r} have no kernels to measure")

    def one_file(self, module: ModuleOp) -> str:
        """The text of a module as one file that stands for itself."""
        return "\n".join(self.translate(module).sources.values())

    def doctor(self) -> Iterator[tuple[str, str]]:
        """What is there for this target, a label and a text each. Raises an exception that says what is missing."""
        yield from ()

    def lower(
        self, module: ModuleOp, until: str | None = None, machine: Machine | None = None, **options: Any
    ) -> Lowered:
        """Runs the stages that a module has not been through: see `lowering.lower`."""
        from .lowering import lower

        return lower(module, self.pipeline, self.machine if machine is None else lambda: machine, until, **options)


def _lazy(module: str, name: str) -> Callable[[], Backend]:
    return lambda: getattr(import_module(f".{module}", __package__), name)()


BACKENDS: dict[str, Callable[[], Backend]] = {
    "cpu": _lazy("cpu", "CPU"),
    "cuda": _lazy("cuda.backend", "CUDA"),
    "cuda-emulated": _lazy("cuda.backend", "EmulatedCUDA"),
    "reference": _lazy("reference", "Reference"),
}
"""What makes the backend of a target, by name; loaded when first asked for."""

_made: dict[str, Backend] = {}


def register(backend: type[Backend]) -> type[Backend]:
    """Adds a target; a decorator of its class."""
    _made.pop(backend.name, None)
    BACKENDS[backend.name] = backend
    return backend


def languages() -> dict[str, str]:
    """The languages that programs can be printed in, and their targets."""
    found = {name: find_backend(name).language for name in BACKENDS}
    return {language: name for name, language in found.items() if language}


def find_backend(target: str) -> Backend:
    """The backend of a target. Raises UnsupportedTarget for one that nobody knows."""
    if target not in _made:
        if target not in BACKENDS:
            raise UnsupportedTarget(f"unknown target {target!r}: expected one of {', '.join(sorted(BACKENDS))}")
        _made[target] = BACKENDS[target]()
    return _made[target]
