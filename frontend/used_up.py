"""Gradients that a compiled function makes and uses up in an optimizer, and does not keep: nobody writes their bytes.

    step(x, y)                  zero_grad, backward, optimizer.step, compiled
    w.grad                      None, and a hint: irtool.compile(step, keep_gradients=True) keeps it
    other(x); w.grad            an error where PyTorch would add the gradient of `other` to it

What nobody reads costs nothing: `zero_grad` and the next `step` forget it, and what is added to it is not known either.
"""

from __future__ import annotations

import warnings
from typing import Any

from .errors import runtime_error
from .modes import modes

KEEP = "irtool.compile(..., keep_gradients=True) keeps it"


class UsedUp:
    """Stands in the place of such a gradient."""

    __slots__ = ("hinted", "line", "summed")

    _spec = "used up"
    """Compared with what `.grad` was when a function was traced."""

    def __init__(self, line: str, summed: bool = False) -> None:
        self.line = f" at {line}" if line else ""
        """Where the optimizer used it."""
        self.summed = summed
        """Whether another gradient was to be added."""
        self.hinted = False

    def plus(self) -> UsedUp:
        """The sum with a gradient that is known."""
        return self if self.summed else UsedUp(self.line.removeprefix(" at "), summed=True)

    def read(self) -> None:
        """What `.grad` gives: None the first time it matters to nobody, an error where that would be another number."""
        if self.summed:
            raise runtime_error(
                "this gradient is a sum in PyTorch, with the one that a compiled function made and used up"
                f"{self.line}: call zero_grad() in between, or {KEEP}"
            )
        if modes.trace is not None:
            raise self.missing()
        if not self.hinted:
            self.hinted = True
            warnings.warn(
                f".grad reads None: a compiled function made this gradient and used it up{self.line}; {KEEP}",
                stacklevel=3,
            )

    def missing(self) -> Exception:
        """For who needs the numbers."""
        return runtime_error(f"this gradient was made and used up by a compiled function{self.line}: {KEEP}")


def zero_grad(t: Any, set_to_none: bool) -> None:
    """Drops a tensor's gradient, or fills it with zeros."""
    trace = modes.trace
    if set_to_none:
        t.grad = None
    elif isinstance(t._grad if trace is None else trace.get_grad(t), UsedUp):
        t.grad = t.detach().new_zeros(t.shape)
    elif t.grad is not None:
        t.grad = t.grad.detach()
        from .grad_mode import no_grad

        with no_grad():
            t.grad.zero_()


__all__ = ["UsedUp", "zero_grad"]
