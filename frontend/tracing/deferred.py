"""Deferred effects of a traced function: each call makes them after the program has run, with its tensors' values.

print("loss", loss)        the tensors are results of the program, as they were at this point
scheduler.step()           the rate of the next call
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Block

from .. import dispatch, tree
from ..tensor import Tensor


@dataclass
class DeferredCall:
    """A call that is made after the program has run."""

    function: Callable[..., Any]
    value: Any
    """Its arguments, by position and by name."""
    about: Any = None
    """What it changes, which the rest of the trace may not ask for."""

    def apply(self, value: Any, arguments: Any) -> None:
        """Makes the call."""
        args, options = value
        self.function(*args, **options)


def defer(
    trace: Any, function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any], about: Any = None
) -> None:
    """Lets each call of a traced function make this call in the end."""
    leaves: list[Any] = []
    structure = tree.flatten((tuple(args), dict(options)), leaves)
    leaves = [_as_it_is(trace, x) if isinstance(x, Tensor) else x for x in leaves]
    trace.deferred.append(DeferredCall(function, tree.rebuild(structure, iter(leaves)), about))


def _as_it_is(trace: Any, x: Tensor) -> Any:
    """A tensor that later writes to `x` leave alone; inside the body of a loop, its text."""
    value = dispatch.value_of(trace, x)
    block = value.owner if isinstance(value.owner, Block) else value.owner.parent
    return dispatch.traced(trace.detached(value), x._spec) if block is trace.block else str(x)


__all__ = ["DeferredCall", "defer"]
