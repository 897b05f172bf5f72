"""Elementwise operations by the names that users see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from . import arithmetic, logic
from .families import GENERATED

SYNONYMS: dict[str, str] = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "subtract": "sub",
    "true_divide": "div",
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in GENERATED.items() if name != "true_div"},
    **arithmetic.FUNCTIONS,
    **logic.FUNCTIONS,
}
FUNCTIONS.update({name: FUNCTIONS[target] for name, target in SYNONYMS.items()})


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Any:
    return arithmetic.where(condition, self, other)


METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in ("where", "rsub")},
    "where": _where_method,
}

_NOT_IN_PLACE = {"where", "isnan", "isinf", "isfinite", "isclose", "maximum", "minimum"}
IN_PLACE: tuple[str, ...] = tuple(sorted(set(METHODS) - _NOT_IN_PLACE))
"""Methods that also come with a trailing underscore."""

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS"]
