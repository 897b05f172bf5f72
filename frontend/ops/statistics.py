"""Counts, quantiles and what describes a sample, written in terms of other functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...dialects.types import DType, i1, i64
from ..creation import zeros
from ..dispatch import builder, scalar
from ..errors import TYPE_NAMES, index_error, located, runtime_error
from ..promotion import float_dtype
from ..ranges import arange
from ..tensor import Tensor
from .arithmetic import lerp, where
from .checks import check_holds, within_one
from .operands import cast
from .ordering import kthvalue, of_equals
from .reductions import RETURN_TYPES
from .shape import axis


def _float_only(name: str, x: Tensor) -> None:
    if x.dtype.kind != "float":
        raise runtime_error(f"{name}() input tensor must be either float or double dtype, got {TYPE_NAMES[x.dtype]}")


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not zero."""
    return input.ne(0).sum(dim)


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The sum of what is not NaN."""
    return where(input.isnan(), 0, input).sum(dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The average of what is not NaN."""
    if input.dtype.kind != "float":
        raise runtime_error(f"nanmean(): expected input to have floating point dtype but got {TYPE_NAMES[input.dtype]}")
    there = input.isnan().logical_not()
    total = nansum(input, dim, keepdim, dtype=dtype)
    return total / there.sum(dim, keepdim).to(total.dtype)


class Extremes(NamedTuple):
    """What aminmax returns."""

    min: Tensor
    max: Tensor


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Extremes:
    """The smallest and the largest element."""
    if dim is not None:
        axis(dim, input.ndim)
    return _AMINMAX(input.amin(dim, keepdim), input.amax(dim, keepdim))


_AMINMAX = type("aminmax", (Extremes,), {"__slots__": ()})


# Quantiles


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    if interpolation not in _BETWEEN:
        raise runtime_error(f"{name}(): interpolation must be one of {', '.join(_BETWEEN)}, got {interpolation}")
    _float_only(name, input)
    if not input.numel():
        raise runtime_error(f"{name}() input tensor must be non-empty")
    part = q if isinstance(q, Tensor) else scalar(q, (), input.dtype)
    if part.dtype is not input.dtype:
        raise runtime_error(f"{name}() q tensor must be same dtype as the input tensor")
    if part.ndim > 1:
        raise runtime_error(f"{name}() q must be a scalar or 1D tensor")
    check_holds(within_one(part), RuntimeError, f"{name}() q values must be in the range [0, 1]")
    x = input.reshape(-1) if dim is None or not input.ndim else input
    d = axis(-1 if dim is None else dim, x.ndim)
    x = x.movedim(d, -1).sort(-1)[0]
    unknown = x.detach().isnan()
    last = (x.shape[-1] - unknown.sum(-1, keepdim=True)).to(x.dtype) - 1 if skip_nan else x.shape[-1] - 1
    place = part.reshape(-1) * last
    if skip_nan:
        place = place.clamp(min=0)
    else:  # one NaN, which is sorted last, is all quantiles
        place = where(unknown.any(-1, keepdim=True), float(x.shape[-1] - 1), place)
    low, high = _BETWEEN[interpolation][0](place), _BETWEEN[interpolation][1](place)
    below, above = (x.gather(-1, k.detach().to(i64)) for k in (low, high))
    weight = place - low if interpolation == "linear" else scalar(0.5, (), x.dtype)
    found = lerp(below, above, weight)
    found = found.movedim(-1, 0)
    if keepdim:
        shape = [1] * input.ndim if dim is None else [1 if k == d else n for k, n in enumerate(input.shape)]
        found = found.reshape(-1, *shape)
    return found if part.ndim else found.reshape(found.shape[1:])


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """What so large a part of the elements is below: `q` is a number or a 1-d tensor, which gives a first dimension."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skip_nan=False)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """quantile of what is not NaN"""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skip_nan=True)


_BETWEEN: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "linear": (builder.floor, builder.ceil),
    "lower": (builder.floor, builder.floor),
    "higher": (builder.ceil, builder.ceil),
    "nearest": (builder.round, builder.round),
    "midpoint": (builder.floor, builder.ceil),
}


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """median of what is not NaN"""
    if dim is None:
        if not input.numel():
            return input.median()
        x = input.reshape(-1)
        return of_equals(x, nanmedian(x, 0)[0])
    d = axis(dim, input.ndim)
    if input.ndim and not input.shape[d]:
        raise index_error(f"median(): Expected reduction dim {d} to have non-zero size.")
    if input.dtype.kind != "float" or not input.ndim:
        values, indices = kthvalue(input, ((input.shape or (1,))[d] + 1) // 2, d, keepdim)
        return RETURN_TYPES["nanmedian"](values, indices)
    values, indices = input.sort(d)
    middle = (values.detach().isnan().logical_not().sum(d, keepdim=True) - 1).clamp(min=0) // 2
    found = [x.gather(d, middle) for x in (values, indices)]
    return RETURN_TYPES["nanmedian"](*(found if keepdim else [x.squeeze(d) for x in found]))


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, indices) of the most frequent elements, the smallest of equally frequent ones."""
    d = axis(dim, input.ndim)
    if not input.ndim:
        return RETURN_TYPES["mode"](input.clone(), zeros((), dtype=i64))
    n = input.shape[d]
    if not n:
        raise index_error(f"mode(): Expected reduction dim {d} to have non-zero size.")
    x = input.movedim(d, -1)
    ordered, order = x.detach().sort(-1)
    places = arange(n).expand(ordered.shape)
    new = ordered[..., 1:].ne(ordered[..., :-1]) if n > 1 else ordered[..., 1:].ne(0)
    starts = where(new, places[..., 1:], 0)
    first = places[..., :1]
    begun = starts.new_zeros(first.shape) if n == 1 else None
    run = places - (begun if begun is not None else _padded(starts, first).cummax(-1)[0])
    indices = order.gather(-1, run.argmax(-1, keepdim=True))
    values = x.gather(-1, indices)
    if keepdim:
        return RETURN_TYPES["mode"](values.movedim(-1, d), indices.movedim(-1, d))
    return RETURN_TYPES["mode"](values.squeeze(-1), indices.squeeze(-1))


def _padded(starts: Tensor, first: Tensor) -> Tensor:
    from .joining import cat

    return cat((first, starts), -1)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements are in each of `bins` equal parts of [min, max], or of the range of the elements."""
    if input.dtype.kind != "float":
        raise located(NotImplementedError, f"\"histogram_cpu\" not implemented for '{TYPE_NAMES[input.dtype]}'")
    if bins <= 0:
        raise runtime_error("bins must be > 0")
    if max < min:
        raise runtime_error("max must be larger than min")
    x = input.detach().reshape(-1)
    if min == max and not x.numel():
        return zeros(bins, dtype=x.dtype)
    low, high = (x.amin(), x.amax()) if min == max else (scalar(v, (), x.dtype) for v in (min, max))
    same = low.eq(high)
    low, high = where(same, low - 1, low), where(same, high + 1, high)
    check_holds(low.isfinite().logical_and(high.isfinite()), RuntimeError, "the range of the elements is not finite")
    inside = x.ge(low).logical_and(x.le(high))
    place = where(inside, ((x - low) / (high - low) * bins).floor(), 0).to(i64).clamp(0, bins - 1)
    return zeros(bins, dtype=x.dtype).scatter_add(0, place, inside.to(x.dtype))


# Spread


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Covariances of variables, which are rows."""
    if input.ndim > 2:
        raise runtime_error(f"cov(): expected input to have two or fewer dimensions but got {input.ndim}")
    if input.dtype is i1:
        raise runtime_error("cov(): bool dtype is not supported for input")
    x = cast(input, float_dtype(input.dtype)).reshape(input.shape if input.ndim > 1 else (1, input.numel()))
    n: Any = x.shape[1]
    given = [cast(v, x.dtype) for v in (fweights, aweights) if v is not None]
    if not given:
        x = x - x.mean(1, keepdim=True)
        return (x @ x.t() / max(n - correction, 0)).squeeze()
    weights = given[0] * given[-1] if len(given) == 2 else given[0]
    total = weights.sum()
    x = x - (x * weights).sum(1, keepdim=True) / total
    lost = correction if aweights is None else correction * (weights * cast(aweights, x.dtype)).sum() / total
    return ((x * weights) @ x.t() / (total - lost).clamp(min=0)).squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """Correlations of variables, which are rows."""
    found = cov(input)
    if not found.ndim:
        return found / found
    deviation = found.diagonal().sqrt()
    return (found / deviation[:, None] / deviation[None, :]).clamp(-1, 1)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each part along `dim` scaled so that its p-norm is at most maxnorm."""
    if input.ndim < 2:
        raise runtime_error(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    if p <= 0:
        raise runtime_error("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise runtime_error(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    d = axis(dim, input.ndim)
    size = input.norm(p, tuple(k for k in range(input.ndim) if k != d), True)
    return input * where(size.gt(maxnorm), maxnorm / (size + 1e-7), 1.0)


# Areas under samples


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The area under straight lines between points: at x, or so far apart."""
    return _slices(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The areas up to each point but the first."""
    return _slices(y, x, dx, dim).cumsum(dim)


def _slices(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> Tensor:
    if not y.ndim:
        raise index_error(f"Dimension specified as {dim} but tensor has no dimensions")
    if y.dtype is i1 or (x is not None and x.dtype is i1):
        raise runtime_error("trapezoid: received a bool input for `x` or `y`, but bool is not supported")
    d = axis(dim, y.ndim)
    n = y.shape[d]
    if x is not None and x.ndim == 1 and x.shape[0] != n:
        raise runtime_error("trapezoid: There must be one `x` value for each sample point")
    width: Any = dx
    if x is not None:
        points: Any = x.reshape([-1 if k == d else 1 for k in range(y.ndim)]) if x.ndim == 1 and y.ndim > 1 else x
        width = points.diff(dim=d - y.ndim)
    if not n:
        return y * 1.0
    return (y.narrow(d, 0, n - 1) + y.narrow(d, 1, n - 1)) * width / 2.0


def trapz(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """trapezoid"""
    return trapezoid(y, x, dx=dx, dim=dim)


_BOTH = (
    *(aminmax, corrcoef, count_nonzero, cov, histc, mode, nanmean, nanmedian, nanquantile, nansum, quantile, renorm),
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (*_BOTH, cumulative_trapezoid, trapezoid, trapz)
}  # fmt: skip
METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in _BOTH}

__all__ = ["FUNCTIONS", "METHODS"]
