"""The names that users see: functions of the package and methods of Tensor, put together from the families' tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ...dialects.types import DType
from .. import creation, printing, random, ranges
from ..errors import untraceable
from ..modes import modes
from ..ops import (
    assembling,
    combined,
    conversion,
    distinct,
    elementwise,
    factorizations,
    gathering,
    in_place,
    indexing,
    joining,
    logic,
    matmul,
    ordering,
    reductions,
    scattering,
    selection,
    selection_shapes,
    shape,
    signs,
    special_functions,
    splitting,
    statistics,
)
from ..ops.operands import common_dtype
from ..ops.selection import Selection
from ..ops.selection_reductions import REDUCTIONS, reduction
from ..tensor import Tensor
from ..writes import check_in_place
from .argument_names import adapted
from .argument_types import checked
from .unsupported import tensor_getattr

FAMILIES = (
    *(elementwise, reductions, ordering, shape, joining, indexing, gathering, scattering),
    *(
        splitting,
        assembling,
        matmul,
        conversion,
        creation,
        ranges,
        random,
        combined,
        signs,
        special_functions,
        statistics,
        distinct,
        factorizations,
    ),
)


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, under its name in Python's own errors where that is one of a factory."""
    if "<" in getattr(function, "__qualname__", ""):
        function.__name__ = function.__qualname__ = name
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: checked(name, adapted(_named(name, function), out=family not in (shape, conversion)))
    for family in FAMILIES
    for name, function in family.FUNCTIONS.items()
}

_METHODS: dict[str, Callable[..., Any]] = {
    name: checked(name, adapted(_named(name, function)), method=True)
    for family in FAMILIES
    for name, function in family.METHODS.items()
}

_IN_PLACE = (
    *(*elementwise.IN_PLACE, *joining.IN_PLACE, *ordering.IN_PLACE, *scattering.IN_PLACE, *matmul.IN_PLACE),
    *(*signs.IN_PLACE, *special_functions.IN_PLACE),
)
_RESHAPED = ("squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze")

_OPERATORS: dict[str, str] = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY: dict[str, str] = {"neg": "neg", "abs": "abs", "invert": "bitwise_not"}


def _operator(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """As an operator, for what is neither a tensor, a number nor an array, Python may ask the other operand."""

    def method(self: Any, other: Any) -> Tensor:
        kind = cast(Any, type(other))
        if kind is Tensor or kind is float or kind is int:
            return function(self, other)
        if kind is Selection or not isinstance(other, _OPERANDS):  # or what stands for one
            return NotImplemented
        return function(self, other)

    return method


def _swapped(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def swapped(self: Any, other: Any) -> Any:
        return function(other, self)

    return swapped


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return _operator(_swapped(function))


def _operands() -> tuple[type, ...]:
    import numpy as np

    return (Tensor, int, float, bool, np.generic, np.ndarray)


_OPERANDS = _operands()


def _rebind(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """squeeze_ and the like change what a tensor is a view of, not its values."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        check_in_place(self)
        if modes.trace is not None and not self._storage.symbolic:
            name = f"{function.__name__}_"
            raise untraceable(f"{name}() of a tensor from outside", f"use x = x.{name[:-1]}(...)")
        new = function(self, *args, **options)
        for name in ("_storage", "_spec", "_view", "_node", "_index", "_requires_grad", "_detached"):
            setattr(self, name, getattr(new, name))
        return self

    return method


def _itself(self: Tensor) -> Tensor:
    return self


_BY_ROWS = ("matmul", "mm", "softmax", "log_softmax", "argmax", "argmin")
_CONVERSIONS = ("to", "type", "type_as", "float", "double", "long", "int", "bool", "byte", "detach")


def _install_selections() -> None:
    """Gives x[mask] of compiled code its methods and operators, and lets functions take it."""
    rules: dict[str, Callable[..., Any]] = {
        **dict.fromkeys(elementwise.FUNCTIONS, selection.elementwise),
        **dict.fromkeys(_BY_ROWS, selection.by_rows),
        **{name: reduction(name) for name in REDUCTIONS},
    }
    for name, rule in rules.items():
        function = FUNCTIONS[name]
        setattr(Selection, name, selection.method_of(_METHODS.get(name, function), rule))
        FUNCTIONS[name] = selection.accepting(function, rule)
    for name in ("cat", "concat", "concatenate", "stack"):
        FUNCTIONS[name] = selection_shapes.joined(FUNCTIONS[name])
    for name, method in selection_shapes.METHODS.items():
        setattr(Selection, name, method)
    for name in _CONVERSIONS:
        setattr(Selection, name, selection.method_of(_METHODS[name], selection.elementwise))
    for python, name in (*_OPERATORS.items(), *zip(_COMPARISONS, _COMPARISONS), *_UNARY.items()):
        method = getattr(Selection, name)
        setattr(Selection, f"__{python}__", method)
        if python in _OPERATORS:
            setattr(Selection, f"__i{python}__", method)
            setattr(Selection, f"__r{python}__", _swapped(method))


def install() -> None:
    """Gives Tensor its methods, operators and properties."""
    methods = {**_METHODS, **in_place.METHODS}
    for name in _IN_PLACE:
        methods[f"{name}_"] = in_place.in_place(name, _METHODS[name])
    for name in _RESHAPED:
        methods[f"{name}_"] = _rebind(_METHODS[name])
    for python, name in _OPERATORS.items():
        function = _METHODS[name]
        methods[f"__{python}__"] = _operator(function)
        methods[f"__r{python}__"] = _reflected(function)
        methods[f"__i{python}__"] = _operator(in_place.in_place(name, function))
    for name in _COMPARISONS:
        methods[f"__{name}__"] = _operator(_METHODS[name])
    for python, name in _UNARY.items():
        methods[f"__{python}__"] = _METHODS[name]
    methods["__invert__"] = logic.invert
    methods["__pos__"] = _itself
    methods["__repr__"] = printing.tensor_text
    for name, method in methods.items():
        setattr(Tensor, name, method)
    for family in (shape, conversion):
        for name, getter in family.PROPERTIES.items():
            setattr(Tensor, name, property(getter))
    setattr(Tensor, "__getattr__", tensor_getattr)  # noqa: B010
    Tensor.__array_priority__ = 1000  # pyright: ignore[reportAttributeAccessIssue]
    _install_selections()


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The element type of tensor1 + tensor2."""
    return common_dtype(tensor1, tensor2)


install()

__all__ = ["FUNCTIONS", "Tensor", "result_type"]
