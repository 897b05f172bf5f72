"""torch.func.vmap: a function of one example, called for each index along a dimension of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from . import tree
from .errors import located, runtime_error
from .generator import generators, set_states, states
from .modes import modes
from .tensor import Tensor

RANDOMNESS = ("error", "same", "different")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Calls a function for each index along a dimension of its arguments and stacks what it returns.

    `in_dims` and `out_dims` are numbers, None, or trees of these like the arguments or the results; keyword arguments
    are handed on as they are. The calls are made one after the other: this is a convenience, not a faster program.
    """
    if randomness not in RANDOMNESS:
        raise located(
            RuntimeError, f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves: list[Any] = []
        structure = tree.flatten(args, leaves)
        along = _input_dims(name, in_dims, structure, leaves)
        start = states() if randomness == "same" else None
        results: list[list[Any]] = []
        form: Any = None
        for i in range(_batch_size(name, leaves, along)):
            row = iter([x if dim is None else x.select(dim, i) for x, dim in zip(leaves, along, strict=True)])
            if start is not None:
                set_states(start)
            before = _drawn() if randomness == "error" else None
            found: list[Any] = []
            form = tree.flatten(func(*tree.rebuild(structure, row), **kwargs), found)
            if randomness == "error" and _drawn() != before:
                raise runtime_error(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
                )
            results.append(found)
        return _stacked(name, results, form, out_dims)

    return wrapped


def _drawn() -> Any:
    """Where the random numbers are at."""
    storages = [found.state._storage for found in generators()]
    return [s.version if modes.trace is None else modes.trace.values.get(s) for s in storages]


def _input_dims(name: str, dims: Any, structure: Any, leaves: Sequence[Any]) -> list[int | None]:
    if not isinstance(dims, (int, tuple, list)) or isinstance(dims, bool):
        raise located(
            ValueError,
            f"vmap({name}, in_dims={dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
            f"tuple matching the structure of inputs, got: {type(dims)}.",
        )
    dims = tuple(cast("Sequence[Any]", dims)) if isinstance(dims, (tuple, list)) else dims
    spread = _spread(dims, structure)
    if spread is None:
        raise located(
            ValueError,
            f"vmap({name}, in_dims={dims}, ...)(<inputs>): in_dims is not compatible with the structure of inputs",
        )
    checked: list[int | None] = []
    for x, dim in zip(leaves, spread, strict=True):
        if dim is None or (not isinstance(x, Tensor) and dim == 0 and isinstance(dims, int)):
            checked.append(None)
            continue
        rank = x.ndim if isinstance(x, Tensor) else 0
        if not isinstance(x, Tensor) or not -rank <= dim < rank:
            what = f"a Tensor of dimensionality {rank}" if isinstance(x, Tensor) else f"of type {type(x)}"
            raise located(
                ValueError,
                f"vmap({name}, in_dims={dims}, ...)(<inputs>): Got in_dim={dim} for an input, but the input is {what}",
            )
        checked.append(dim % rank)
    return checked


def _spread(dims: Any, structure: Any) -> list[Any] | None:
    """One entry for each leaf; None where the trees do not fit."""
    if dims is None or isinstance(dims, int):
        count: list[Any] = []
        tree.flatten(tree.rebuild(structure, _forever()), count)
        return [dims] * len(count)
    inner: list[Any] = []
    if structure is tree.LEAF:
        return None
    kind, *children = structure
    keyed = isinstance(dims, dict)
    if keyed:
        keys, *children = children
        parts = [cast("dict[Any, Any]", dims).get(key, ...) for key in keys]
    elif isinstance(dims, (tuple, list)) and kind in (tuple, list):
        parts = list(cast("Sequence[Any]", dims))
    else:
        return None
    if len(parts) != len(children) or any(part is ... for part in parts):
        return None
    for part, child in zip(parts, children, strict=True):
        found = _spread(part, child)
        if found is None:
            return None
        inner += found
    return inner


def _forever() -> Iterator[int]:
    while True:
        yield 0


def _batch_size(name: str, leaves: Sequence[Any], along: Sequence[int | None]) -> int:
    sizes = [x.shape[dim] for x, dim in zip(leaves, along, strict=True) if dim is not None]
    if not sizes:
        raise located(ValueError, f"vmap({name}, ...)(<inputs>): at least one input must be mapped over, got none")
    if len(set(sizes)) > 1:
        raise located(
            ValueError,
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension",
        )
    if not sizes[0]:
        raise located(ValueError, f"vmap({name}, ...)(<inputs>): the mapped dimension has size 0")
    return sizes[0]


def _stacked(name: str, results: Sequence[Sequence[Any]], form: Any, out_dims: Any) -> Any:
    from .ops.joining import stack

    places = _spread(out_dims, form)
    if places is None:
        raise located(
            ValueError, f"vmap({name}, ..., out_dims={out_dims}): out_dims does not fit what the function returns"
        )
    made: list[Any] = []
    for values, place in zip(zip(*results, strict=True), places, strict=True):
        for value in values:
            if place is not None and not isinstance(value, Tensor):
                raise located(
                    ValueError,
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(value)}. Did you mean to "
                    "set out_dims= to None for output?",
                )
        made.append(values[0] if place is None else stack(list(values), place))
    return tree.rebuild(form, iter(made))


__all__ = ["vmap"]
