"""One call of a compiled function, as it comes: its arguments, flattened, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..modes import modes
from ..tensor import Tensor
from .changed_numbers import DynamicNumbers
from .iterators import Iterators
from .show import show
from .symbolic import is_number


@dataclass(frozen=True)
class CallArguments:
    """The arguments of one call, flattened."""

    structure: Any
    leaves: Sequence[Any]
    names: Sequence[str]
    """What the user calls them."""
    dynamic: frozenset[int] = frozenset()
    """The leaves that are numbers which have changed between calls."""
    numbers: DynamicNumbers = field(default_factory=DynamicNumbers)
    """What earlier calls of the function have found out."""
    iterators: Iterators = field(default_factory=Iterators)
    """What the function draws from."""


def describe_call(call: CallArguments) -> list[tuple[str, Any]]:
    """What a program is chosen by, argument by argument, in words."""
    found: list[tuple[str, Any]] = [("grad mode", modes.grad)]
    for name, value in zip(call.names, call.leaves, strict=True):
        if isinstance(value, Tensor):
            gradient = ", requires_grad" if value.requires_grad else ""
            kind = "" if type(value) is Tensor else f"{type(value).__name__} "
            found.append((name, f"{kind}{value._spec}{gradient}"))
        else:
            found.append((name, f"a number of type {type(value).__name__}" if is_number(value) else show(value)))
    return found


__all__ = ["CallArguments", "describe_call"]
