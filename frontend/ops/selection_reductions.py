"""Reductions of x[mask] in compiled code: what does not hold becomes the number that changes nothing."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ...dialects.types import DType
from ..dispatch import builder, scalar
from ..errors import untraceable
from ..promotion import highest, lowest
from ..tensor import Tensor
from . import reductions
from .operands import cast
from .selection import FIX, Selection, elementwise
from .shape import axis, ints


def _constant(value: Any) -> Callable[[DType], Any]:
    return lambda dtype: value


NEUTRAL: dict[str, Callable[[DType], Any]] = {
    "sum": _constant(0),
    "prod": _constant(1),
    "any": _constant(False),
    "all": _constant(True),
    "amax": lowest,
    "amin": highest,
    "max": lowest,
    "min": highest,
    "logsumexp": _constant(-math.inf),
    "count_nonzero": _constant(0),
}
"""By reduction: what to put where the mask does not hold, by element type."""


def _over(x: Selection, dim: Any) -> tuple[int, ...]:
    rank = x.wide.ndim
    if dim is None:
        return tuple(range(rank))
    return tuple(axis(d, rank) for d in ints((dim,)))


def reduction(name: str) -> Callable[..., Any]:
    """The rule of a reduction: over the rows of a selection a tensor, over other dimensions a selection."""
    return partial(_reduced, name)


def _reduced(name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if name in ("max", "min") and isinstance(options.get("other", args[-1]), Tensor) and len(args) + len(options) == 2:
        return elementwise(function, args, options)
    x = args[0]
    if type(x) is not Selection:
        raise untraceable(f"{name}() of a tensor and x[mask]", FIX)
    given = inspect.signature(function).bind(*args, **options).arguments
    dim = None if isinstance(given.get("dim"), bool) else given.get("dim")
    over = _over(x, dim)
    if x.row not in over:
        result = function(x.filled(), *args[1:], **options)
        behind = x.behind if given.get("keepdim") else x.behind - sum(d > x.row for d in over)
        if isinstance(result, Tensor):
            return Selection(result, x.mask, behind)
        return type(result)(*[Selection(part, x.mask, behind) for part in result])
    special = SPECIAL.get(name)
    if special is not None:
        return special(x, over, given)
    if name in ("max", "min") and dim is not None:
        raise untraceable(f"x[mask].{name}(dim) has positions among the rows that hold, which", f"use a{name}; {FIX}")
    return function(x.or_else(NEUTRAL[name](x.wide._spec.dtype)), *args[1:], **options)


def _count(x: Selection, over: tuple[int, ...], dtype: DType) -> Tensor:
    shape = x.wide._spec.shape
    others = math.prod(shape[d] for d in over if d != x.row)
    return builder.mul(cast(x.count(), dtype), scalar(others, (), dtype))


def _mean(x: Selection, over: tuple[int, ...], given: dict[str, Any]) -> Tensor:
    kept = {k: v for k, v in given.items() if k in ("keepdim", "dtype")}
    mean = reductions.FUNCTIONS["mean"]
    if not x.wide.is_floating_point() and kept.get("dtype") is None:
        return mean(x.wide)  # refuses
    total = reductions.FUNCTIONS["sum"](x.or_else(0), over, **kept)
    return total / _count(x, over, total._spec.dtype)


def _var(x: Selection, over: tuple[int, ...], given: dict[str, Any]) -> Tensor:
    correction = given.get("correction")
    if correction is None:
        correction = 0 if given.get("unbiased") is False or given.get("dim") is False else 1
    deviation = x.filled() - _mean(x, over, {"keepdim": True})
    squares = Selection(deviation * deviation, x.mask, x.behind).or_else(0)
    total = reductions.FUNCTIONS["sum"](squares, over, keepdim=given.get("keepdim", False))
    return total / (_count(x, over, total._spec.dtype) - correction).clamp(min=0)


def _std(x: Selection, over: tuple[int, ...], given: dict[str, Any]) -> Tensor:
    return _var(x, over, given).sqrt()


def _norm(x: Selection, over: tuple[int, ...], given: dict[str, Any]) -> Tensor:
    order = given.get("p")
    least = isinstance(order, int | float) and order < 0  # of which infinity changes nothing
    options = {k: v for k, v in given.items() if k != "input"}
    return reductions.FUNCTIONS["norm"](x.or_else(math.inf if least else 0), **options)


SPECIAL: dict[str, Callable[[Selection, tuple[int, ...], dict[str, Any]], Tensor]] = {
    "mean": _mean,
    "var": _var,
    "std": _std,
    "norm": _norm,
}

REDUCTIONS = (*NEUTRAL, *SPECIAL)

__all__ = ["REDUCTIONS", "reduction"]
