"""Functions with a backward of their own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from .. import dispatch, grad_mode
from ..devices import users_own
from ..errors import located, runtime_error
from ..modes import modes
from ..tape import CustomNode, identity
from ..tensor import Tensor
from ..tree import as_tuple
from .context import FunctionCtx
from .function_traced import attach, values_of
from .walk import handed_out


class Function:
    """Base of operations with a hand-written gradient: static methods `forward(ctx, ...)` and `backward(ctx, ...)`, or
    `forward(...)`, `setup_context(ctx, inputs, output)` and `backward`. Called through `apply`."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the outputs."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Saves what backward needs, where forward takes no ctx."""
        raise NotImplementedError("setup_context is not implemented")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Gradients of the inputs, one each, None for those that have none."""
        raise NotImplementedError("You must implement the backward for your custom autograd.Function to use it.")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs forward, and backward when gradients come."""
        if kwargs:
            args = cls._positional(args, kwargs)
        inputs = [x for x in args if isinstance(x, Tensor)]
        recorded = modes.grad and any(x.requires_grad for x in inputs)
        ctx = FunctionCtx(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))
        entering: Any = None
        if recorded and modes.trace is not None:
            entering = values_of(ctx, args)
        before = grad_mode.switch(False)
        try:
            if cls.setup_context is not Function.setup_context:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        finally:
            grad_mode.switch(before)
        if not recorded:
            return output
        several = isinstance(output, tuple)
        outputs: list[Any] = list(cast("tuple[Any, ...]", output) if several else (output,))
        if modes.trace is not None:
            made = attach(ctx, args, entering, outputs, cls._backward, cls.__name__)
        else:
            made = [x if ctx.is_dirty(x) else _fresh(x, inputs) for x in outputs]
            nodes = [x for x in made if ctx.is_differentiable(x)]
            gradients = cls._backward
            CustomNode(f"{cls.__name__}Backward", inputs, nodes, _on_tape(ctx, gradients, args, made, nodes))
            for x in ctx._dirty:
                x._history += 1
        return tuple(made) if several else made[0]

    @classmethod
    def _positional(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        forward = (
            cls.forward if cls.setup_context is not Function.setup_context else functools.partial(cls.forward, None)
        )
        bound = inspect.signature(forward).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args

    @classmethod
    def _backward(
        cls, ctx: FunctionCtx, args: tuple[Any, ...], cotangents: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """What the user's backward gives for each argument, in the shape and dtype of that."""
        found: Any = users_own(cls.backward, ctx, *cotangents)
        gradients = as_tuple(found)
        if len(gradients) < len(args) or any(g is not None for g in gradients[len(args) :]):
            raise runtime_error(
                f"function {cls.__name__}Backward returned an incorrect number of gradients (expected {len(args)}, got "
                f"{len(gradients)})"
            )
        return [
            None if g is None or not isinstance(x, Tensor) else _fitted(cls.__name__, k, g, x)
            for k, (g, x) in enumerate(zip(gradients, args))
        ]


def _fitted(name: str, index: int, gradient: Any, x: Tensor) -> Tensor:
    """A gradient in the shape and dtype of what it is the gradient of, summed where that was broadcast."""
    if not isinstance(gradient, Tensor):
        raise located(
            TypeError,
            f"function {name}Backward returned a {type(gradient).__name__} at index {index}, expected Variable or None",
        )
    shape, wanted = gradient._spec.shape, x._spec.shape
    lead = len(shape) - len(wanted)
    if shape != wanted:
        if lead < 0 or any(b not in (1, a) for a, b in zip(shape[lead:], wanted)):
            raise runtime_error(
                f"Function {name}Backward returned an invalid gradient at index {index} - got {list(shape)} but "
                f"expected shape compatible with {list(wanted)}"
            )
        over = (*range(lead), *(d + lead for d, n in enumerate(wanted) if n == 1 and shape[d + lead] != 1))
        if over:
            gradient = dispatch.builder.reduce_sum(gradient, over)
        gradient = dispatch.builder.reshape(gradient, wanted)
    if gradient._spec.dtype is not x._spec.dtype:
        gradient = dispatch.builder.cast(gradient, x._spec.dtype)
    return gradient


def _on_tape(
    ctx: FunctionCtx,
    gradients: Callable[[FunctionCtx, tuple[Any, ...], Sequence[Tensor | None]], list[Tensor | None]],
    args: tuple[Any, ...],
    outputs: Sequence[Any],
    made: Sequence[Tensor],
) -> Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]]:
    """The backward of a node: cotangents of the differentiable outputs in, gradients of the tensor arguments out."""
    specs = [x._spec if isinstance(x, Tensor) else None for x in outputs]
    places = [next(k for k, x in enumerate(outputs) if x is y) for y in made]

    def backward(cotangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        given: list[Tensor | None] = [None] * len(specs)
        for place, ct in zip(places, cotangents):
            given[place] = ct
        if ctx._materialize:
            for k, spec in enumerate(specs):
                if given[k] is None and spec is not None and spec.dtype.kind == "float":
                    given[k] = dispatch.builder.constant(0.0, spec.shape, spec.dtype)
        found = gradients(ctx, args, [None if g is None else handed_out(g) for g in given])
        return [g for g, x in zip(found, args) if isinstance(x, Tensor)]

    return backward


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A backward that is not itself differentiated."""

    @functools.wraps(function)
    def wrapped(ctx: Any, *args: Any) -> Any:
        with grad_mode.no_grad():
            return function(ctx, *args)

    return wrapped


def _fresh(output: Any, inputs: Sequence[Tensor]) -> Any:
    """An output that is an input itself, as a tensor of its own."""
    return identity(output.detach()) if any(output is x for x in inputs) else output


__all__ = ["Function", "once_differentiable"]
