"""Functions of functions: torch.func. Gradients as functions, modules with other parameters, maps over batches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from . import autograd, grad_mode, tree
from .errors import runtime_error
from .tensor import Tensor
from .unsupported import module_getattr


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns (gradient, value), or (gradient, (value, aux)); arguments may be trees of tensors."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if any(not -len(args) <= n < len(args) for n in numbers):
            raise runtime_error(f"grad: argnums {argnums} for a function that was called with {len(args)} arguments")
        leaves: list[Any] = []
        structures = [tree.flatten(args[n], leaves) for n in numbers]
        given: list[Any] = []
        tree.flatten((args, kwargs), given)
        nested = any(isinstance(x, Tensor) and x.requires_grad for x in given)
        with grad_mode.enable_grad():
            inputs = [_entered(x) for x in leaves]
            rest = iter(inputs)
            replaced = list(args)
            for n, structure in zip(numbers, structures, strict=True):
                replaced[n] = tree.rebuild(structure, rest)
            output = func(*replaced, **kwargs)
            value = output[0] if has_aux else output
            if not isinstance(value, Tensor) or value.ndim:
                shape = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise runtime_error(f"grad: expected the function to return a tensor without dimensions, got {shape}")
            if value.requires_grad:
                found = autograd.grad(value, inputs, create_graph=nested, allow_unused=True, materialize_grads=True)
            else:
                found = tuple(cast(Any, x).detach().clone().zero_() for x in inputs)
        rest = iter(found)
        gradients = tuple(tree.rebuild(structure, rest) for structure in structures)
        result = gradients[0] if isinstance(argnums, int) else gradients
        if not nested:
            value = value.detach()
        return result, ((value, output[1]) if has_aux else value)

    return wrapped


def _entered(x: Any) -> Tensor:
    if not isinstance(x, Tensor) or x._spec.dtype.kind != "float":
        raise runtime_error(f"grad: expected floating-point tensors to differentiate by, got {type(x).__name__}")
    return x.clone() if x.requires_grad else x.detach().requires_grad_()


def value_and_grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns (value, gradient), or ((value, aux), gradient)."""
    swapped = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = swapped(*args, **kwargs)
        return value, gradient

    return wrapped


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient as a function; with `has_aux`, of (gradient, aux)."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jacrev(func: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The Jacobian as a function, of shape output.shape + input.shape; one backward pass for each row."""
    from .ops.joining import stack

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Tensor:
        shape: list[int] = []

        def flat(*inner: Any) -> Any:
            y = func(*inner, **kwargs)
            shape[:] = y.shape
            return y.reshape(-1)

        with grad_mode.no_grad():
            count = flat(*args).numel()
        x: Tensor = args[argnums]
        if not count:
            return x.new_zeros((*shape, *x.shape))

        def part(k: int) -> Callable[..., Any]:
            return lambda *inner: flat(*inner)[k]  # pyright: ignore[reportUnknownLambdaType]

        rows = [grad(part(k), argnums)(*args) for k in range(count)]
        return stack(rows).reshape(*shape, *x.shape)

    return wrapped


def hessian(func: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The second derivatives of a function that returns a single number."""
    return jacrev(grad(func, argnums), argnums)


def vmap(
    func: Callable[..., Any],
    in_dims: int | Sequence[Any] | None = 0,
    out_dims: int | Sequence[int] = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Calls a function for each index along a dimension of its arguments and stacks what it returns.

    The calls are made one after the other: this is a convenience, not a faster program.
    """
    from .ops.joining import stack

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        dims: Sequence[Any] = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        leaves: list[Any] = []
        along: list[int | None] = []
        structure = [_flatten_dims(x, dim, leaves, along) for x, dim in zip(args, dims, strict=True)]
        named = [_flatten_dims(x, 0, leaves, along) for x in kwargs.values()]
        sizes = {x.shape[dim] for x, dim in zip(leaves, along, strict=True) if dim is not None}
        if len(sizes) != 1:
            raise runtime_error(
                f"vmap: expected all mapped dimensions to be of one size, got {sorted(sizes) or 'none'}"
            )
        outputs: list[list[Any]] = []
        shape: Any = None
        for i in range(sizes.pop()):
            row = iter([x if dim is None else x.select(dim, i) for x, dim in zip(leaves, along, strict=True)])
            given = [tree.rebuild(s, row) for s in structure]
            keywords = {k: tree.rebuild(s, row) for k, s in zip(kwargs, named, strict=True)}
            found: list[Any] = []
            shape = tree.flatten(func(*given, **keywords), found)
            outputs.append(found)
        places: list[int] = [out_dims] * len(outputs[0]) if isinstance(out_dims, int) else list(out_dims)
        return tree.rebuild(shape, iter([stack(list(ys), dim) for ys, dim in zip(zip(*outputs), places, strict=True)]))

    return wrapped


def _flatten_dims(x: Any, dim: Any, leaves: list[Any], along: list[int | None]) -> Any:
    start = len(leaves)
    structure = tree.flatten(x, leaves)
    mapped = [isinstance(leaf, Tensor) and dim is not None for leaf in leaves[start:]]
    along.extend(dim if m else None for m in mapped)
    return structure


def functional_call(
    module: Any, parameters: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]], args: Any = (), kwargs: Any = None
) -> Any:
    """Calls a module with other tensors in the place of its parameters and buffers, given by their names."""
    merged: dict[str, Tensor] = {}
    for part in (parameters,) if isinstance(parameters, Mapping) else parameters:
        merged.update(part)
    tables: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, value in merged.items():
            *path, last = name.split(".")
            owner = module.get_submodule(".".join(path))
            table = next((t for t in (owner._parameters, owner._buffers) if last in t), None)
            if table is None:
                raise KeyError(f"functional_call: the module has no parameter or buffer named '{name}'")
            tables.append((table, last, table[last]))
            table[last] = value
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for table, last, before in reversed(tables):
            table[last] = before


__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacrev", "value_and_grad", "vmap"]

__getattr__ = module_getattr("irtool.func", lambda: __all__)
