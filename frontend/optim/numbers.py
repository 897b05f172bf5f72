"""The numbers of an update: plain floats in eager code and, where they change from step to step, arguments of a trace.

An optimizer lists its numbers as functions of hyperparameters and of `step`, the count of updates from 1 on; those that
it does not list are hyperparameters:

    NUMBERS = {"rate": lambda lr, betas, step: lr / (1 - betas[0] ** step), "keep": lambda betas: betas[0]}

Compiled code takes `rate` as a run-time scalar, since it depends on the learning rate and on the step, and has `keep`
as a constant until other betas come. They are computed in float64, as Python's floats are, and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from inspect import signature
from typing import Any

from ...dialects.types import DType
from ..dispatch import is_symbolic
from ..modes import modes
from ..tensor import Tensor
from ..tracing.trace import as_traced

Number = Callable[..., float]
STEP = "step"


@cache
def dependencies(number: Number) -> tuple[str, ...]:
    """The names of what a number is computed from."""
    return tuple(signature(number).parameters)


class Numbers:
    """The numbers for one group's tensors of one element type and step count; each is made when first asked for."""

    def __init__(
        self,
        table: Mapping[str, Number],
        group: Mapping[str, Any],
        runtime: frozenset[str],
        dtype: DType,
        step: Callable[[], int],
    ) -> None:
        self._table = table
        self._group = group
        self._runtime = runtime
        self._dtype = dtype
        self._step = step
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """A float, or a tensor without dimensions."""
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._make(name)
        return found

    def _make(self, name: str) -> float | Tensor:
        number = self._table.get(name)
        number, names = (_itself, (name,)) if number is None else (number, dependencies(number))
        group, step = self._group, self._step

        trace, own = modes.trace, as_traced(group)
        changes = [key for key in names if key not in self._runtime and key != STEP and is_symbolic(own[key])]
        if trace is not None and (changes or any(trace.has_assigned(group, key) for key in names)):
            # What the function being traced has assigned is not what a call finds.
            return trace.computed(number, [step if key == STEP else plain(own[key]) for key in names], self._dtype)

        def value() -> float:
            return float(number(*[step() if key == STEP else plain(group[key]) for key in names]))

        if trace is None or not any(key == STEP or key in self._runtime for key in names):
            return value()
        return trace.runtime_scalar(value, self._dtype, name)


def _itself(hyperparameter: float) -> float:
    return hyperparameter


def plain(value: Any) -> Any:
    """A hyperparameter as a number: learning rates may be tensors."""
    return value.item() if isinstance(value, Tensor) else value
