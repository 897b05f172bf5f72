"""Options of passes: fields of their dataclasses, each with the numbers it takes. Checked here, whoever gives them.

vector_bits: int = option(512, 64, 2048, power_of_two=True)

irtool opt FILE -p "vectorize{vector_bits=100}"
error: pass 'vectorize': vector_bits: expected a power of two from 64 to 2048, got 100
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from xdsl.passes import ModulePass

from .target import DEFAULT, FIGURES, Machine

LARGEST = 2**63 - 1
RANGE = "range"


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes."""

    low: int
    high: int
    power_of_two: bool = False

    def __contains__(self, value: object) -> bool:
        fits = type(value) is int and self.low <= value <= self.high
        return fits and not (self.power_of_two and value & (value - 1))  # type: ignore[operator]

    def __str__(self) -> str:
        kind = "a power of two" if self.power_of_two else "a whole number"
        return f"{kind} from {self.low} to {self.high}" if self.high != LARGEST else f"{kind} from {self.low} on"


def option(default: int, low: int, high: int = LARGEST, power_of_two: bool = False) -> Any:
    """A field that is an option of a pass, and the numbers it takes."""
    return field(default=default, metadata={RANGE: Range(low, high, power_of_two)})


def vector_width(default: int = DEFAULT.vector_bits) -> Any:
    """The width of a vector register."""
    return option(default, 64, 2048, power_of_two=True)


def options_of(pass_class: type[ModulePass]) -> dict[str, Range]:
    """What can be said about a pass, by name."""
    return {f.name: f.metadata[RANGE] for f in fields(pass_class) if RANGE in f.metadata}


def figures_named(pass_class: type[ModulePass]) -> set[str]:
    """The fields of a pass that are figures of a target."""
    return {f.name for f in fields(pass_class)} & FIGURES


def make_for_target(pass_class: type[ModulePass], target: Machine) -> ModulePass:
    """A pass with every figure of a target that it names. Raises ValueError where one is out of its range."""
    named, known = figures_named(pass_class), options_of(pass_class)
    figures = {key: value for key, value in target.figures().items() if key in named}
    make_pass(pass_class, {key: value for key, value in figures.items() if key in known})
    return pass_class(**figures)


def make_pass(pass_class: type[ModulePass], given: Mapping[str, object]) -> ModulePass:
    """A pass with options. Raises ValueError that says what was expected."""
    known = options_of(pass_class)
    for key, value in given.items():
        if key not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ValueError(f"pass {pass_class.name!r} has no option {key!r}; it has: {names}")
        if value not in known[key]:
            shown = "nothing" if value is None else value if isinstance(value, int) else repr(value)
            raise ValueError(f"pass {pass_class.name!r}: {key}: expected {known[key]}, got {shown}")
    return pass_class(**given)
