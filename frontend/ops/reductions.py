"""Reductions: dimensions normalized, `keepdim` by a reshape, named results as PyTorch returns them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...dialects.hl import HLOp
from ...dialects.hl import composite as c
from ...dialects.hl import indexing as i
from ...dialects.hl import reduction as r
from ...dialects.types import DType, f32, f64, i1, i64, u8
from ..dispatch import apply, builder
from ..errors import TYPE_NAMES, index_error, located, runtime_error
from ..promotion import float_dtype
from ..tape import named
from ..tensor import Tensor
from .arithmetic import masked_fill, mul, sub, where
from .elementwise import FUNCTIONS as ELEMENTWISE
from .logic import to_bool
from .operands import cast, without_derivative
from .shape import axis, reshaped


def axes(dim: Any, rank: int) -> tuple[int, ...]:
    """Dimensions as sorted non-negative numbers; None and () mean all."""
    if dim is None:
        return tuple(range(rank))
    dims = [axis(d, rank) for d in ((dim,) if isinstance(dim, int) else dim)]
    if len(set(dims)) != len(dims):
        twice = next(d for d in dims if dims.count(d) > 1)
        raise runtime_error(f"dim {twice} appears multiple times in the list of dims")
    if rank == 0:
        return ()
    return tuple(sorted(dims)) if dims else tuple(range(rank))


def kept(x: Tensor, shape: tuple[int, ...], over: tuple[int, ...]) -> Tensor:
    """A reduced tensor with extent 1 where dimensions were dropped."""
    return reshaped(x, tuple(1 if d in over else n for d, n in enumerate(shape)))


EXTREMES: dict[type[HLOp], type[HLOp]] = {r.ReduceMaxOp: r.ReduceAnyOp, r.ReduceMinOp: r.ReduceAllOp}
"""What extremes are on bools."""
ON_BOOL: dict[type[HLOp], type[HLOp]] = {**EXTREMES, r.ReduceSumOp: r.ReduceAnyOp, r.ReduceProdOp: r.ReduceAllOp}


def check_not_empty(name: str, shape: tuple[int, ...], over: tuple[int, ...], whole: bool = False) -> None:
    """Raises IndexError where an extreme of nothing is asked for; RuntimeError where `over` was not given."""
    for d in over:
        if shape[d] == 0:
            if whole:
                raise runtime_error(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
            raise index_error(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def reduce(op: type[HLOp], x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """A reduction over some dimensions."""
    shape = x._spec.shape
    over = axes(dim, len(shape))
    if op in EXTREMES:
        check_not_empty(op.name.replace("hl.reduce_", "a"), shape, over, whole=dim is None or dim == ())
        op = ON_BOOL[op] if x._spec.dtype is i1 else op
    # Over no dimensions, a reduction changes nothing; its result is new memory all the same.
    result = apply(op, (x,), {"dimensions": over})[0] if over else x.clone()
    return kept(result, shape, over) if keepdim else result


class ReductionFunction(NamedTuple):
    """A reduction to one value."""

    op: type[HLOp]
    widen: bool = False
    """Whether integers are counted in int64."""
    dtype: bool = False
    """Whether there is an argument `dtype`."""


REDUCTIONS: dict[str, ReductionFunction] = {
    "sum": ReductionFunction(r.ReduceSumOp, widen=True, dtype=True),
    "prod": ReductionFunction(r.ReduceProdOp, widen=True, dtype=True),
    "amax": ReductionFunction(r.ReduceMaxOp),
    "amin": ReductionFunction(r.ReduceMinOp),
}


def _reduction(name: str, row: ReductionFunction) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
        if row.dtype and dtype is not None:
            input = cast(input, dtype)
            if dtype is i1:
                return reduce(ON_BOOL[row.op], input, dim, keepdim)
        elif row.widen and input._spec.dtype.kind != "float":
            input = cast(input, i64)
        return reduce(row.op, input, dim, keepdim)

    function.__name__ = function.__qualname__ = name
    return function


def _truth(op: type[HLOp]) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        truth = to_bool(input)
        if dim is not None and not isinstance(dim, int) and not dim:  # unlike elsewhere, () means no dimension here
            return truth.clone() if truth is input else cast(truth, u8) if input._spec.dtype is u8 else truth
        result = reduce(op, truth, dim, keepdim)
        return cast(result, u8) if input._spec.dtype is u8 else result

    return function


GENERATED: dict[str, Callable[..., Any]] = {
    **{name: _reduction(name, row) for name, row in REDUCTIONS.items()},
    "any": _truth(r.ReduceAnyOp),
    "all": _truth(r.ReduceAllOp),
}


_sum = GENERATED["sum"]


def _count(shape: tuple[int, ...], over: tuple[int, ...]) -> int:
    count = 1
    for d in over:
        count *= shape[d]
    return count


def _as_float(name: str, x: Tensor, dtype: DType | None) -> Tensor:
    if dtype is not None:
        x = cast(x, dtype)
    if x._spec.dtype.kind != "float":
        raise runtime_error(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {TYPE_NAMES[x._spec.dtype]}"
        )
    return x


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The average."""
    x = _as_float("mean", input, dtype)
    over = axes(dim, len(x._spec.shape))
    count = _count(x._spec.shape, over)
    factor = 1 / count if count else float("nan")
    return named(mul(reduce(r.ReduceSumOp, x, dim, keepdim), factor), "MeanBackward0")


def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """The variance: the sum of squared deviations over count - correction."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    x = _as_float("var", input, None)
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    over = axes(dim, len(x._spec.shape))
    deviation = sub(x, mean(x, dim, True)) if over else sub(x, x)
    squares = reduce(r.ReduceSumOp, mul(deviation, deviation), dim, keepdim)
    degrees = max(_count(x._spec.shape, over) - correction, 0)
    return named(ELEMENTWISE["div"](squares, degrees), "VarBackward0")


def _widened(x: Tensor) -> Tensor:
    """In the type whose squares neither overflow nor vanish."""
    return cast(x, f64) if x._spec.dtype is f32 else x


def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """The square root of the variance."""
    root = _root(var(_widened(input), dim, unbiased, keepdim, correction=correction))
    return named(cast(root, input._spec.dtype), "StdBackward0")


def _with_mean(name: str, spread: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    def function(
        input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
    ) -> tuple[Tensor, Tensor]:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        return spread(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name.removesuffix('_mean')} and mean"
    return function


var_mean, std_mean = _with_mean("var_mean", var), _with_mean("std_mean", std)


# Extremes and where they are
class ValuesAndIndices(NamedTuple):
    """What a reduction along one dimension returns when the positions matter too."""

    values: Tensor
    indices: Tensor


def _return_type(name: str) -> type[ValuesAndIndices]:
    def text(self: ValuesAndIndices) -> str:
        return f"irtool.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    return type(name, (ValuesAndIndices,), {"__repr__": text, "__slots__": ()})


RETURN_TYPES: dict[str, type[ValuesAndIndices]] = {
    name: _return_type(name)
    for name in ("max", "min", "median", "nanmedian", "mode", "sort", "topk", "kthvalue", "cummax", "cummin")
}


def arg_reduce(op: type[HLOp], input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """The position of an extreme; in the flattened tensor without `dim`."""
    shape = input._spec.shape
    x = input
    name = op.name.removeprefix("hl.")
    if input._spec.dtype is i1:
        raise runtime_error(f"{name}(): does not support bool input")
    if dim is None or not shape:
        axes(dim, 0) if dim is not None else check_not_empty(name, (input.numel(),), (0,))
        flat = apply(op, (reshaped(x, (-1,)),), {"dimension": 0})[0]
        return reshaped(flat, (1,) * len(shape)) if keepdim else flat
    d = axis(dim, len(shape))
    check_not_empty(name, shape, (d,))
    result = apply(op, (x,), {"dimension": d})[0]
    return kept(result, shape, (d,)) if keepdim else result


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is."""
    return arg_reduce(r.ArgmaxOp, input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is."""
    return arg_reduce(r.ArgminOp, input, dim, keepdim)


def take_along(x: Tensor, indices: Tensor, d: int) -> Tensor:
    """x at `indices` (with extent 1 along d), which have all dimensions of x but d: the elements, without d."""
    rank = len(x._spec.shape)
    order = (*(k for k in range(rank) if k != d), d)
    moved = builder.transpose(x, order) if d != rank - 1 else x
    batch = rank - 1
    rows = 1
    for n in moved._spec.shape[:-1]:
        rows *= n
    flat = builder.reshape(moved, (rows, moved._spec.shape[-1]))
    column = builder.reshape(indices, (rows, 1))
    picked = apply(i.GatherOp, (flat, column), {"axis": 1, "batch_dims": 1})[0]
    return builder.reshape(picked, moved._spec.shape[:batch])


def _extreme(name: str, reduction: type[HLOp], where_op: type[HLOp], elementwise: str) -> Callable[..., Any]:
    result_type = RETURN_TYPES[name]

    def function(input: Tensor, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        if "other" in options:
            dim = options["other"]
        if isinstance(dim, Tensor):
            return ELEMENTWISE[elementwise](input, dim)
        if dim is None:
            if 0 in input._spec.shape:
                raise runtime_error(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                    "dim with the 'dim' argument."
                )
            return _whole(reduction, input)
        shape = input._spec.shape
        if not shape:
            axes(dim, 0)
            return result_type(input.clone(), cast(mul(input, 0), i64))
        d = axis(dim, len(shape))
        check_not_empty(name, shape, (d,))
        ordered = cast(input, i64) if input._spec.dtype is i1 else input
        indices = arg_reduce(where_op, ordered, d, False)
        values = take_along(input, indices, d)
        if keepdim:
            values, indices = kept(values, shape, (d,)), kept(indices, shape, (d,))
        return result_type(named(values, f"{name.capitalize()}Backward0"), indices)

    function.__name__ = function.__qualname__ = name
    return function


def _whole(reduction: type[HLOp], x: Tensor) -> Tensor:
    return named(reduce(reduction, x, None, False), "MaxBackward1" if reduction is r.ReduceMaxOp else "MinBackward1")


# Built from others
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))), without overflow."""
    x = cast(input, float_dtype(input._spec.dtype))
    over = axes(dim, len(x._spec.shape))
    if any(x._spec.shape[d] == 0 for d in over):
        return ELEMENTWISE["log"](_sum(x, dim, keepdim))
    largest = GENERATED["amax"](x, dim, True).detach()
    largest = where(ELEMENTWISE["isfinite"](largest), largest, 0.0)
    total = ELEMENTWISE["log"](_sum(ELEMENTWISE["exp"](sub(x, largest)), dim, True))
    result = ELEMENTWISE["add"](total, largest)
    return result if keepdim else squeezed(result, over)


def squeezed(x: Tensor, over: tuple[int, ...]) -> Tensor:
    """Without the given dimensions of extent 1."""
    return reshaped(x, tuple(n for d, n in enumerate(x._spec.shape) if d not in over))


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Tensor:
    """The p-norm: the p-th root of the sum of |x| ** p."""
    x = input if dtype is None else cast(input, dtype)
    if x._spec.dtype.kind != "float":
        raise runtime_error(f"linalg.vector_norm: Expected a floating point tensor as input. Got {x.dtype}")
    if p is None or p == "fro" or p == 2:
        return named(_root(_sum(mul(x, x), dim, keepdim)), "LinalgVectorNormBackward0")
    if isinstance(p, str):
        raise runtime_error(f"norm: expected p to be a number or 'fro', got '{p}'; torch.linalg.matrix_norm has 'nuc'")
    magnitude = ELEMENTWISE["abs"](x)
    if p < 0 or p == float("inf"):
        _check_norm_of_some(x, p, dim)
    if p == float("inf"):
        return GENERATED["amax"](magnitude, dim, keepdim)
    if p == float("-inf"):
        return GENERATED["amin"](magnitude, dim, keepdim)
    if p == 0:
        return without_derivative(_sum(cast(ELEMENTWISE["ne"](x, 0), x._spec.dtype), dim, keepdim), x)
    if p == 1:
        return _sum(magnitude, dim, keepdim)
    powers = _sum(_root(magnitude, p) if p < 1 else ELEMENTWISE["pow"](magnitude, p), dim, keepdim)
    return _root(powers, 1.0 / p)


def _check_norm_of_some(x: Tensor, p: Any, dim: Any) -> None:
    if any(x._spec.shape[d] == 0 for d in axes(dim, len(x._spec.shape))):
        raise runtime_error(
            f"linalg.vector_norm cannot compute the {p:g} norm on an empty tensor because the operation does not have "
            "an identity"
        )


def _root(x: Tensor, exponent: float = 0.5) -> Tensor:
    """x ** exponent for x >= 0, where the gradient at 0 is 0 instead of infinite, as for norms in PyTorch."""
    zero = ELEMENTWISE["eq"](x, 0)
    safe = masked_fill(x, zero, 1)
    root = ELEMENTWISE["sqrt"](safe) if exponent == 0.5 else ELEMENTWISE["pow"](safe, exponent)
    return masked_fill(root, zero, 0 if exponent > 0 else float("inf"))


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """linalg.vector_norm"""
    return norm(x, ord, dim, keepdim, dtype)


def dist(input: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(sub(input, other), p)


def _along(op: type[HLOp]) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
        x = cast(input, dtype) if dtype is not None else input
        if x._spec.dtype.kind != "float":
            raise located(NotImplementedError, f"\"softmax\" not implemented for '{TYPE_NAMES[x._spec.dtype]}'")
        if not x._spec.shape:
            return reshaped(function(reshaped(x, (1,)), dim), ())
        return apply(op, (x,), {"dimension": axis(dim, len(x._spec.shape))})[0]

    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **GENERATED,
    "max": _extreme("max", r.ReduceMaxOp, r.ArgmaxOp, "maximum"),
    "min": _extreme("min", r.ReduceMinOp, r.ArgminOp, "minimum"),
    "softmax": _along(c.SoftmaxOp),
    "log_softmax": _along(c.LogSoftmaxOp),
    **{
        f.__name__: f
        for f in (
            argmax,
            argmin,
            dist,
            logsumexp,
            mean,
            norm,
            std,
            std_mean,
            var,
            var_mean,
        )
    },
}


METHODS = {name: function for name, function in FUNCTIONS.items() if name not in ("std_mean", "var_mean")}


__all__ = ["FUNCTIONS", "METHODS", "RETURN_TYPES", "vector_norm"]
