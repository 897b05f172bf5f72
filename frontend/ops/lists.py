"""Functions of lists of tensors, which optimizers call to update many at once: `_foreach_add_(params, updates)`.

Each does to every tensor of the first list what the method of its name does, with the tensors and numbers that stand at
the same position in the other lists; what is no list is for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from ..errors import runtime_error
from ..tensor import Tensor

Tensors = Sequence[Tensor]

UNARY = (
    *("abs", "acos", "asin", "atan", "ceil", "clone", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac"),
    *(
        "lgamma",
        "log",
        "log10",
        "log1p",
        "log2",
        "neg",
        "reciprocal",
        "round",
        "rsqrt",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
    ),
    *("sqrt", "tan", "tanh", "trunc"),
)
BINARY = ("add", "sub", "mul", "div", "clamp_max", "clamp_min", "maximum", "minimum", "pow")
WITH_NUMBERS = {"maximum": "clamp_min", "minimum": "clamp_max"}
"""What a method is called for numbers, where that for tensors does not take them."""


def _columns(self: Tensors, others: Sequence[Any]) -> list[tuple[Any, ...]]:
    """For each tensor, itself and its share of the other arguments."""
    if not self:
        raise runtime_error("Tensor list must have at least one tensor.")
    columns: list[Any] = [self]
    for other in others:
        if isinstance(other, (list, tuple)):
            values = cast("Sequence[Any]", other)
            if len(values) != len(self) and all(isinstance(value, Tensor) for value in values):
                raise runtime_error(
                    f"Tensor lists must have the same number of tensors, got {len(self)} and {len(values)}"
                )
            if len(values) != len(self):
                raise runtime_error("Tensor list must have same number of elements as scalar list.")
            columns.append(values)
        else:
            columns.append([other] * len(self))
    return list(zip(*columns, strict=True))


def _method(x: Tensor, name: str, *others: Any, **options: Any) -> Tensor:
    if name in WITH_NUMBERS and not isinstance(others[0], Tensor):
        name = WITH_NUMBERS[name]
    return getattr(x, name)(*others, **options)


def _functions(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The function that gives new tensors, and the one that writes to those of the first list."""

    def function(self: Tensors, *others: Any, **options: Any) -> tuple[Tensor, ...]:
        return tuple(_method(x, name, *rest, **options) for x, *rest in _columns(self, others))

    def in_place(self: Tensors, *others: Any, **options: Any) -> Tensors:
        for x, *rest in _columns(self, others):
            x.copy_(_method(x, name, *rest, **options))
        return self

    return function, in_place


def _pow(self: Any, exponent: Any) -> tuple[Tensor, ...]:
    """Also a number to the power of each tensor."""
    if not isinstance(self, (list, tuple)):
        return tuple(self**x for x in exponent)
    return _functions("pow")[0](self, exponent)


def _with_factors(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`addcmul` or `addcdiv`, whose factors are one for all, a list, or the elements of a tensor."""
    combine = "mul" if name == "addcmul" else "div"

    def function(self: Tensors, tensor1: Tensors, tensor2: Tensors, value: Any = 1) -> tuple[Tensor, ...]:
        if isinstance(value, Tensor) and value.dim() == 1:
            value = list(value.unbind())
        found = _columns(self, (tensor1, tensor2, value))
        return tuple(x.add(getattr(y, combine)(z).mul(factor)) for x, y, z, factor in found)

    def in_place(self: Tensors, tensor1: Tensors, tensor2: Tensors, value: Any = 1) -> Tensors:
        for x, new in zip(self, function(self, tensor1, tensor2, value), strict=True):
            x.copy_(new)
        return self

    return function, in_place


def _norm(self: Tensors, ord: Any = 2, dtype: Any = None) -> tuple[Tensor, ...]:
    """The norm of each tensor."""
    return tuple(_method(x, "norm", ord, dtype=dtype) for x, *_ in _columns(self, ()))


def _max(self: Tensors) -> tuple[Tensor, ...]:
    """The largest element of each tensor."""
    return _functions("max")[0](self)


def _copy(self: Tensors, src: Tensors, non_blocking: bool = False) -> Tensors:
    """Writes each tensor of `src` to the one at its position."""
    for x, y in _columns(self, (src,)):
        x.copy_(y)
    return self


def _zero(self: Tensors) -> Tensors:
    """Fills all tensors with zeros."""
    for x, *_ in _columns(self, ()):
        x.zero_()
    return self


def _table() -> dict[str, Callable[..., Any]]:
    pairs = {name: _functions(name) for name in (*UNARY, *BINARY, "lerp")}
    pairs |= {name: _with_factors(name) for name in ("addcmul", "addcdiv")}
    found = {name: new for name, (new, _) in pairs.items()}
    found |= {f"{name}_": in_place for name, (_, in_place) in pairs.items() if name != "clone"}
    found |= {"pow": _pow, "norm": _norm, "max": _max, "copy_": _copy, "zero_": _zero}
    return {f"_foreach_{name}": function for name, function in found.items()}


FUNCTIONS = _table()
"""The functions by the names that users know."""

__all__ = ["FUNCTIONS"]
