"""Functions with a backward of their own, and a check of gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from . import dispatch, grad_mode
from .dispatch import array_of
from .errors import runtime_error
from .tape import CustomNode
from .tensor import Tensor
from .views import identity


class FunctionCtx:
    """What forward leaves for backward."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Tensor | None, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._constant: set[int] = set()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs or outputs, to be found in `saved_tensors`."""
        self._saved = tensors
        self._versions = tuple(-1 if t is None else t._storage.version for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given. Raises RuntimeError where it has been overwritten since."""
        for t, version in zip(self._saved, self._versions):
            if t is not None and t._storage.version != version:
                raise runtime_error(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: a "
                    f"saved tensor is at version {t._storage.version}; expected version {version} instead."
                )
        return self._saved

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Says which outputs have no gradient."""
        self._constant = {id(t) for t in outputs}

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros, rather than None, for outputs that nothing depends on."""
        self._materialize = value


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
    def apply(cls, *args: Any) -> Any:
        """Runs forward, and backward when gradients come."""
        inputs = [x for x in args if isinstance(x, Tensor)]
        recorded = grad_mode.enabled and any(x.requires_grad for x in inputs)
        if recorded and dispatch.current_trace is not None:
            raise runtime_error(
                f"{cls.__name__}: an autograd.Function has a gradient that a compiled function does not see; call it "
                "outside, or write it with tensor operations only"
            )
        ctx = FunctionCtx(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))
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
        outputs = [_fresh(x, inputs) for x in (cast("tuple[Any, ...]", output) if several else (output,))]
        made = [x for x in outputs if isinstance(x, Tensor) and id(x) not in ctx._constant]
        CustomNode(f"{cls.__name__}Backward", inputs, made, cls._backward(ctx, args, outputs, made))
        return tuple(outputs) if several else outputs[0]

    @classmethod
    def _backward(
        cls, ctx: FunctionCtx, args: tuple[Any, ...], outputs: Sequence[Any], made: Sequence[Tensor]
    ) -> Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]]:
        specs = [x._spec if isinstance(x, Tensor) else None for x in outputs]
        places = [next(k for k, x in enumerate(outputs) if x is y) for y in made]
        is_tensor = [isinstance(x, Tensor) for x in args]

        def backward(cotangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
            given: list[Tensor | None] = [None] * len(specs)
            for place, ct in zip(places, cotangents):
                given[place] = ct
            if ctx._materialize:
                for k, spec in enumerate(specs):
                    if given[k] is None and spec is not None and spec.dtype.kind == "float":
                        given[k] = dispatch.builder.constant(0.0, spec.shape, spec.dtype)
            found: Any = cls.backward(ctx, *given)
            gradients = _tuple(found)
            if len(gradients) < len(is_tensor) or any(g is not None for g in gradients[len(is_tensor) :]):
                raise runtime_error(
                    f"function {cls.__name__}Backward returned an incorrect number of gradients (expected "
                    f"{len(is_tensor)}, got {len(gradients)})"
                )
            return [g for g, wanted in zip(gradients, is_tensor) if wanted]

        return backward


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(cast(Any, value)) if isinstance(value, (tuple, list)) else (value,)


def _fresh(output: Any, inputs: Sequence[Tensor]) -> Any:
    """An output that is an input itself, as a tensor of its own."""
    return identity(output.detach()) if any(output is x for x in inputs) else output


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **_: Any,
) -> bool:
    """Whether the gradients of a function agree with finite differences; inputs that require gradients as float64."""
    from .autograd import grad

    given = _tuple(inputs)
    checked = [x for x in given if isinstance(x, Tensor) and x.requires_grad]

    def outputs() -> list[Tensor]:
        return [y for y in _tuple(func(*given)) if y._spec.dtype.kind == "float"]

    for x in checked:
        array = array_of(x)
        for number, y in enumerate(outputs()):
            exact = np.zeros((array.size, y.numel()))
            for k in range(y.numel()):
                seed = np.zeros(y._spec.shape, y._spec.dtype.numpy)
                seed.reshape(-1)[k] = 1
                from .creation import from_array

                (found,) = grad(y, x, from_array(seed), retain_graph=True, allow_unused=True)
                if found is not None:
                    exact[:, k] = array_of(found).reshape(-1)
            estimated = np.zeros_like(exact)
            for k, index in enumerate(np.ndindex(array.shape)):
                kept = array[index]
                sides: list[np.ndarray[Any, Any]] = []
                for step in (eps, -eps):
                    array[index] = kept + step
                    with grad_mode.no_grad():
                        sides.append(array_of(outputs()[number]).astype(np.float64).reshape(-1).copy())
                array[index] = kept
                estimated[k] = (sides[0] - sides[1]) / (2 * eps)
            if not np.allclose(exact, estimated, rtol=rtol, atol=atol):
                if raise_exception:
                    raise runtime_error(
                        f"Jacobian mismatch for output {number} with respect to an input of shape "
                        f"{list(x._spec.shape)}:\nnumerical: {estimated}\nanalytical: {exact}"
                    )
                return False
    return True


__all__ = ["Function", "FunctionCtx", "gradcheck"]
