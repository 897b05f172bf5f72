"""Arguments of the wrong type raise what they raise in PyTorch, by the annotations of the functions themselves.

torch.maximum(x, 2.0)        TypeError: maximum(): argument 'other' must be Tensor, not float (at train.py:8)
x.sum(0, keepdim=1)          TypeError: sum(): argument 'keepdim' must be bool, not int (at train.py:9)

Only plain annotations are looked at: `Tensor`, `bool`, `int`, `float`, each with or without `None`. Where a function is
annotated with `Any` since others call it with numbers too, TENSORS says which of its arguments are tensors to users.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple, cast

from ..devices import use
from ..errors import type_error
from ..tensor import Tensor
from .element_types import KINDS, no_kernel

BOTH = ("input", "other")
TENSORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("atan2", "arctan2", "fmax", "fmin", "gcd", "hypot", "lcm", "logaddexp", "logaddexp2"), BOTH),
    **dict.fromkeys(("dist", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "nextafter"), BOTH),
    **dict.fromkeys(("clamp", "clamp_max", "clamp_min", "clip", "fmod"), ("input",)),
    **dict.fromkeys(("eq", "ge", "gt", "le", "lt", "ne"), ("input",)),
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "not_equal"), ("input",)),
}
TRUTHY = (
    *("inplace", "sparse", "non_blocking", "create_graph", "retain_graph", "return_indices", "full", "antialias"),
    "recompute_scale_factor",
)
"""Arguments that PyTorch only asks whether they are true."""


class _Type(NamedTuple):
    """What an argument may be."""

    name: str
    exact: frozenset[type]
    """The usual types, which are looked at first."""
    accepts: Callable[[Any], bool]
    passes: tuple[type, ...] = ()
    """Classes whose objects, those of subclasses too, are looked at no further."""


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _is_whole(value: Any) -> bool:
    return value is not None and not isinstance(value, float | str | bool)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_whole(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return _is_whole(value)
    return all(isinstance(n, bool) or _is_whole(n) for n in cast("list[Any]", value))


def _is_number(value: Any) -> bool:
    return value is not None and not isinstance(value, str | list | tuple | dict)


_TYPES: dict[str, _Type] = {
    "Tensor": _Type("Tensor", frozenset((Tensor,)), _is_tensor, (Tensor,)),
    "bool": _Type("bool", frozenset((bool,)), _is_bool),
    "int": _Type("int", frozenset((int,)), _is_whole),
    "float": _Type("float", frozenset((float, int)), _is_number),
    **dict.fromkeys(
        ("Extents", "Ints", "Sequence[int]", "int | Sequence[int]"),
        _Type("tuple of ints", frozenset((int,)), _are_whole),
    ),
}


def _or_none(wanted: _Type) -> _Type:
    def accepts(value: Any) -> bool:
        return value is None or wanted.accepts(value)

    return _Type(wanted.name, wanted.exact | {type(None)}, accepts, wanted.passes)


_OPTIONAL = {key: _or_none(wanted) for key, wanted in _TYPES.items()}


def _type_of(annotation: Any) -> _Type | None:
    text = str(annotation)
    return _OPTIONAL.get(text.removesuffix(" | None")) if text.endswith(" | None") else _TYPES.get(text)


def explain(
    error: AttributeError, function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> None:
    """Raises a TypeError where the object that lacks an attribute is one of the arguments."""
    culprit = getattr(error, "obj", None)
    if isinstance(culprit, Tensor):
        return
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, value in (*zip(names, args), *options.items()):
        if value is culprit:
            kind = "dtype" if name == "dtype" else "Tensor"
            raise type_error(
                f"{function.__name__}(): argument '{name}' must be {kind}, not {type(value).__name__}"
            ) from None


def mark_explained(wrapper: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper. It says that all it adds to calls without options is `explain`, so that `checked` may do both,
    unless tensors are on other devices."""
    wrapper.explained = wrapper, function
    return wrapper


def _explained(wrapper: Any) -> Callable[..., Any] | None:
    marked, function = getattr(wrapper, "explained", (None, None))
    return function if marked is wrapper else None


def checked(
    name: str, function: Callable[..., Any], kinds: dict[str, tuple[str, ...]] = KINDS, method: bool = False
) -> Callable[..., Any]:
    """The function with these errors, and those of element_types; a method's first argument is a tensor anyhow."""
    plain: Any = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return function
    types: dict[str, _Type] = {
        argument: found
        for argument, annotation in plain.__annotations__.items()
        if argument not in ("return", *TRUTHY) and (found := _type_of(annotation)) is not None
    }
    types.update(dict.fromkeys(TENSORS.get(name, ()), _TYPES["Tensor"]))
    order = code.co_varnames[: code.co_argcount]
    if method and order:
        types.pop(order[0], None)
    places = [(k, order[k], types[order[k]]) for k in range(len(order)) if order[k] in types]
    allowed = kinds.get(name)
    if not types and allowed is None:
        return function
    shown = name

    def taken(argument: str, wanted: _Type, value: Any) -> Any:
        """The value, where it is of the type; a tensor of one whole number is that number."""
        if not wanted.accepts(value):
            given = type(value).__name__
            raise type_error(f"{shown}(): argument '{argument}' must be {wanted.name}, not {given}")
        return value.__index__() if wanted.name == "int" and isinstance(value, Tensor) else value

    direct = _explained(function)
    exact = [(k, wanted.exact, wanted.passes) for k, _, wanted in places]

    def check(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        count = len(args)
        for k, argument, wanted in places:
            if k < count and type(args[k]) not in wanted.exact and not isinstance(args[k], wanted.passes):
                args = (*args[:k], taken(argument, wanted, args[k]), *args[k + 1 :])
        for argument, value in options.items():
            found = types.get(argument)
            if found is not None and type(value) not in found.exact and not isinstance(value, found.passes):
                options[argument] = taken(argument, found, value)
        if allowed is not None:
            x = args[0] if args else options.get("input")
            if isinstance(x, Tensor) and x._spec.dtype.kind not in allowed:
                raise no_kernel(name, x)
        return args

    @wraps(function)
    def checking(*args: Any, **options: Any) -> Any:
        if options or allowed is not None:
            return function(*check(args, options), **options)
        count = len(args)
        for k, kinds, passes in exact:
            if k < count and type(args[k]) not in kinds and not isinstance(args[k], passes):
                args = check(args, options)
                break
        if direct is None or use.elsewhere:
            return function(*args)
        try:
            return direct(*args)
        except AttributeError as error:
            explain(error, direct, args, options)
            raise

    return checking


__all__ = ["checked", "explain", "mark_explained"]
