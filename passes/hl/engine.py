"""What differentiation hands to the rules of ops with bodies, and what it makes of a function that is split.

Such a rule differentiates a body, so it needs the engine that runs it: it is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from ...dialects.hl.autodiff import VariableOp
from ...dialects.hl.builder import IRBuilder

Wrt: TypeAlias = "int | VariableOp"
"""What a derivative is taken by: an argument, or a value inside the function that was marked."""


@dataclass(frozen=True)
class Residual:
    """A value that backward takes from forward."""

    of: Literal["argument", "result"]
    index: int
    """Among the arguments or the results of the forward function."""


@dataclass(frozen=True)
class Partition:
    """The two functions, and how their arguments and results belong together."""

    forward: FuncOp
    """All arguments of the original -> all its results, then what is saved only for backward."""
    backward: FuncOp
    """Residuals, then cotangents -> gradients."""
    residuals: tuple[Residual, ...]
    cotangents: tuple[int, ...]
    """Which results of forward the cotangents belong to."""
    gradients: tuple[Wrt, ...]
    """What the gradients are of; what else was asked for does not influence the results."""


class Engine(Protocol):
    """Reverse mode, as `differentiate` implements it."""

    def reverse(
        self, builder: IRBuilder, seeds: Mapping[SSAValue, SSAValue], wrt: Sequence[SSAValue]
    ) -> list[SSAValue | None]:
        """The cotangents of `wrt`, given those of some results; None where these do not depend on it."""
        ...

    def partition(self, function: FuncOp, wrt: Sequence[Wrt], outputs: Sequence[int] | None = None) -> Partition:
        """Splits the vector-Jacobian product of a function."""
        ...


BodyRule: TypeAlias = Callable[
    [Engine, IRBuilder, Any, Sequence[SSAValue | None], Sequence[bool]], Sequence[SSAValue | None]
]
"""(engine, builder, op, cotangents of its results, which operands want one) -> cotangents of its operands."""
