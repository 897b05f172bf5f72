"""Checks of gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import eager, grad_mode
from ..eager import on_host
from ..errors import located
from ..tensor import Tensor
from ..tree import as_tuple


class GradcheckError(RuntimeError):
    """A gradient differs from its finite difference."""


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
    """Whether the gradients of a function agree with finite differences; inputs that require gradients as float64.

    Raises GradcheckError where they do not, unless `raise_exception` is false.
    """
    given = as_tuple(inputs)
    checked = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise located(
            ValueError,
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True.",
        )

    def outputs() -> list[Tensor]:
        return [y for y in as_tuple(func(*given)) if y._spec.dtype.kind == "float"]

    for x in checked:
        for number, y in enumerate(outputs()):
            exact = _exact(y, x)
            estimated = _estimated(lambda: outputs()[number], x, exact.shape, eps)  # noqa: B023
            if not np.allclose(exact, estimated, rtol=rtol, atol=atol):
                if raise_exception:
                    raise located(
                        GradcheckError,
                        f"Jacobian mismatch for output {number} with respect to an input of shape "
                        f"{list(x._spec.shape)}:\nnumerical: {estimated}\nanalytical: {exact}",
                    )
                return False
    return True


def _exact(y: Tensor, x: Tensor) -> np.ndarray[Any, Any]:
    from ..creation import from_array
    from .gradients import grad

    jacobian = np.zeros((x.numel(), y.numel()))
    for k in range(y.numel() if y.requires_grad else 0):
        seed = np.zeros(y._spec.shape, y._spec.dtype.numpy)
        seed.reshape(-1)[k] = 1
        (found,) = grad(y, x, from_array(seed), retain_graph=True, allow_unused=True)
        if found is not None:
            jacobian[:, k] = on_host(found).reshape(-1)
    return jacobian


def _estimated(output: Callable[[], Tensor], x: Tensor, shape: tuple[int, ...], eps: float) -> np.ndarray[Any, Any]:
    jacobian = np.zeros(shape)
    values = on_host(x).copy()
    for k, index in enumerate(np.ndindex(values.shape)):
        sides: list[np.ndarray[Any, Any]] = []
        for step in (eps, -eps):
            eager.put(x, index, values[index] + step)
            with grad_mode.no_grad():
                sides.append(on_host(output()).astype(np.float64).reshape(-1).copy())
        eager.put(x, index, values[index])
        jacobian[k] = (sides[0] - sides[1]) / (2 * eps)
    return jacobian


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, raise_exception: bool = True, **options: Any
) -> bool:
    """Whether the gradients of gradients agree with finite differences, by the inputs and by `grad_outputs` (which are
    drawn at random where they are not given)."""
    from ..random import randn
    from .gradients import grad

    given = as_tuple(inputs)

    def outputs(*inner: Any) -> list[Any]:
        return [y for y in as_tuple(func(*inner)) if y.requires_grad]

    if grad_outputs is None:
        seeds: Sequence[Any] = [randn(y.shape, dtype=y.dtype).requires_grad_() for y in outputs(*given)]
    else:
        seeds = as_tuple(grad_outputs)
    wanted = [k for k, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*inner: Any) -> tuple[Any, ...]:
        xs, weights = inner[: len(given)], inner[len(given) :]
        with grad_mode.enable_grad():
            found = grad(outputs(*xs), [xs[k] for k in wanted], weights, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)

    return gradcheck(gradients, (*given, *seeds), raise_exception=raise_exception, **options)


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
