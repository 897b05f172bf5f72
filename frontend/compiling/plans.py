"""Plans: what a call makes of the results of a program, and what it finds beside its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ...dialects.types import TensorSpec
from ...runtime.storage import Storage
from ..devices import CPU, device
from ..tracing.trace import Input
from ..used_up import UsedUp
from .weak import Weak, referent

if TYPE_CHECKING:
    from ..layout import View
    from ..tensor import Tensor


@dataclass(eq=False)
class Given:
    """An output that is one of the call's arguments, or a number that each call computes."""

    leaf: int


@dataclass(eq=False)
class Held:
    """An output that is an object from outside, or a plain value."""

    value: Any


@dataclass(eq=False)
class Alias:
    """An output that shares memory with an argument of the call or with state."""

    storage: Storage | Weak | None
    leaf: int | None
    whole: bool
    """Whether the argument is itself a view, and `view` is of what it is a view of."""
    spec: TensorSpec
    view: View | None
    leaf_of_graph: bool = False
    """Whether it is a leaf that gradients are taken of."""
    history: Output | None = None
    """What was written to it, where gradients flow back from that."""
    gradient_of: Tensor | Weak | int | None = None
    """The tensor whose `.grad`, as the call found it, has the memory."""


@dataclass(eq=False)
class Gradient:
    """An output that is the `.grad` that the call has found."""

    owner: Tensor | Weak | int


@dataclass(eq=False)
class DerivedView:
    """An output that is a differentiable view of another tensor."""

    base: Output
    origin: View | None
    """The view that `base` itself was in the trace; the steps of `view` beyond it lead to the output."""
    view: View | None


@dataclass(eq=False)
class Fresh:
    """An output in memory of its own: a result of the program, or a part of one that other outputs share."""

    result: int
    spec: TensorSpec
    view: View | None
    differentiable: bool = False
    leaf_of_graph: bool = False
    """Whether it is a leaf that gradients are taken of."""
    memory: int | None = None
    """The result whose memory this shares, where it has a history of its own."""
    spent: str | None = None
    """What is raised where gradients are asked for that a backward pass inside has used up."""
    where: device = CPU


Output: TypeAlias = Given | Held | Gradient | Alias | DerivedView | Fresh
"""Where an output is found. Plans are known by their identity, as the tensors are that they are plans for."""
Owner: TypeAlias = "Tensor | Weak | int | Output"
"""A tensor: itself, the number of an argument, or one that each call makes."""


@dataclass(frozen=True)
class GradFound:
    """What `.grad` of a tensor was: None, used up, or a gradient, which may be another one in each call."""

    spec: TensorSpec | str | None
    pinned: Any = None
    """The gradient, or a reference to it, where it has to be this one."""
    memory: tuple[Any, View | None] = (None, None)
    """Where that is."""

    def fits(self, grad: Any) -> bool:
        """Whether a program may take a gradient for the one that was found."""
        if grad is None or self.spec is None:
            return grad is self.spec
        if grad._spec != self.spec:
            return False
        if self.pinned is None:
            return type(grad) is UsedUp or grad._view is None
        storage, view = self.memory
        return grad is referent(self.pinned) and grad._storage is referent(storage) and grad._view == view


@dataclass(frozen=True)
class Copy:
    """Bytes to copy around a run, for a value that the function returns as it came, or more than once.

    So the IR function returns each value once and no argument as it is, which keeps every lower level simple.
    """

    source: Input | int
    """An argument, or one of the results."""
    target: Input | int
    """A state argument, or a result that the program itself does not make."""
    before: bool
    """Whether the source is meant as it was before the run."""


__all__ = ["Alias", "Copy", "DerivedView", "Fresh", "Given", "GradFound", "Gradient", "Held", "Output", "Owner"]
