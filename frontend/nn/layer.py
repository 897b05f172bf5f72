"""Layers by declaration: most only keep their arguments, call a function with them and print them.

    @layer(F.leaky_relu)
    class LeakyReLU(Module):
        negative_slope: float = 1e-2
        inplace: bool = False

stands for

    class LeakyReLU(Module):
        def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
            super().__init__()
            self.negative_slope = negative_slope
            self.inplace = inplace

        def forward(self, input: Tensor) -> Tensor:
            return F.leaky_relu(input, self.negative_slope, self.inplace)

        def extra_repr(self) -> str:
            return f"negative_slope={self.negative_slope}" + (f", inplace={self.inplace}" if self.inplace else "")

Fields are those of a dataclass: a class has those of the declared classes it derives from too, and `InitVar` and
`__post_init__` mean what they mean there. `forward` takes the arguments that the function cannot do without and that
are no fields; the function is given the fields that it has arguments for, and `training`. Bases that are not declared
say by annotations what else they keep. An `__init__` that a class writes itself stays, and an `extra_repr` that it
inherits.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Callable
from inspect import unwrap
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from . import functional as F
from .functional.older_arguments import ORDER
from .module import Module

M = TypeVar("M", bound=Module)

FIELDS = "__layer_fields__"
"""Under which name a class keeps its own fields."""
_MISSING: Any = object()


class _Buffer(NamedTuple):
    default: Any


class _Field(NamedTuple):
    annotation: str
    default: Any
    only_init: bool
    """Given to `__post_init__` alone."""
    is_buffer: bool


def buffer(*, default: Any) -> Any:
    """A field that is a buffer of the module."""
    return _Buffer(default)


@dataclass_transform(eq_default=False, field_specifiers=(buffer,))
def layer(
    calls: Callable[..., Any] | None = None, *, prints: str | None = None, kw_only: bool = False
) -> Callable[[type[M]], type[M]]:
    """Derives the methods of a layer from its fields and the function of nn.functional that it calls.

    `prints` is the printed form, where it is not name=value for every field, such as "p={p}, inplace={inplace}".
    """

    def declare(cls: type[M]) -> type[M]:
        own = _own_fields(cls)
        setattr(cls, FIELDS, own)
        fields = _fields(cls)
        sources = [*_init(cls, fields, kw_only)]
        if calls is not None:
            sources += _forward(cls, fields, calls)
        if prints is not None or not _written(cls, "extra_repr"):
            sources += _extra_repr(fields, prints)
        _install(cls, sources)
        return cls

    return declare


class _Method(NamedTuple):
    name: str
    source: str
    annotations: dict[str, str]
    defaults: tuple[Any, ...] = ()
    named_defaults: dict[str, Any] | None = None


def _own_fields(cls: type) -> dict[str, _Field]:
    """The fields that the body of a class declares; their defaults are no attributes of the class."""
    found: dict[str, _Field] = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if annotation.startswith("ClassVar"):
            continue
        default = vars(cls).get(name, _MISSING)
        is_buffer = isinstance(default, _Buffer)
        only_init = annotation.startswith("InitVar[")
        if only_init:
            annotation = annotation.removeprefix("InitVar[").removesuffix("]")
        found[name] = _Field(annotation, default.default if is_buffer else default, only_init, is_buffer)
        if default is not _MISSING:
            delattr(cls, name)
    return found


def _declared(cls: type) -> list[type]:
    """The class and those it derives from, as far as they are declared, the base of all of them first."""
    return [base for base in reversed(cls.__mro__) if FIELDS in vars(base)]


def _fields(cls: type) -> dict[str, _Field]:
    return {name: field for base in _declared(cls) for name, field in vars(base)[FIELDS].items()}


def _annotated(cls: type) -> set[str]:
    """What the bases that are not declared say that they keep."""
    own = cls.__mro__[: cls.__mro__.index(Module)]
    return {name for base in own if FIELDS not in vars(base) for name in vars(base).get("__annotations__", ())}


def _written(cls: type, method: str) -> bool:
    """Whether there is one already that is not Module's."""
    return getattr(cls, method) is not getattr(Module, method)


def _init(cls: type, fields: dict[str, _Field], kw_only: bool) -> list[_Method]:
    if not fields or "__init__" in vars(cls):
        return []
    lines = [f"def __init__({', '.join(('self', *(('*',) if kw_only and fields else ()), *fields))}):"]
    lines += ["    super(first, self).__init__()"]
    for name, field in fields.items():
        if field.is_buffer:
            lines += [f"    self.register_buffer({name!r}, {name})"]
        elif not field.only_init:
            lines += [f"    self.{name} = {name}"]
    if hasattr(cls, "__post_init__"):
        lines += [f"    self.__post_init__({', '.join(name for name, field in fields.items() if field.only_init)})"]
    annotations = {**{name: field.annotation for name, field in fields.items()}, "return": "None"}
    defaults = {name: field.default for name, field in fields.items() if field.default is not _MISSING}
    source = "\n".join(lines)
    if kw_only:
        return [_Method("__init__", source, annotations, named_defaults=defaults)]
    return [_Method("__init__", source, annotations, tuple(defaults.values()))]


def _forward(cls: type, fields: dict[str, _Field], calls: Callable[..., Any]) -> list[_Method]:
    function: Any = unwrap(calls)
    code = function.__code__
    count = code.co_argcount
    names: tuple[str, ...] = code.co_varnames[: count + code.co_kwonlyargcount]
    required = names[: count - len(function.__defaults__ or ())]
    kept = {"training", *(name for name, field in fields.items() if not field.only_init), *_annotated(cls)}
    taken = [name for name in required if name not in kept]
    values = {name: name if name in taken else f"self.{name}" for name in names if name in (*taken, *kept)}
    places = ORDER[function.__name__].split() if function.__name__ in ORDER else names[:count]
    leading = list(takewhile(values.__contains__, places))  # by place, as calls by name take longer
    given = [*(values[name] for name in leading), *(f"{k}={v}" for k, v in values.items() if k not in leading)]
    source = f"def forward({', '.join(('self', *taken))}):\n    return F.{function.__name__}({', '.join(given)})"
    return [_Method("forward", source, {name: function.__annotations__[name] for name in (*taken, "return")})]


def _extra_repr(fields: dict[str, _Field], prints: str | None) -> list[_Method]:
    if prints is None:
        stored = {name: field for name, field in fields.items() if not field.only_init}
        shown = {name: "{" + name + ("!r}" if "str" in field.annotation else "}") for name, field in stored.items()}
        prints = ", ".join(f"{name}={value}" for name, value in shown.items() if name != "inplace")
        text = _text(prints)
        if "inplace" in stored:
            separated = _text((", " if prints else "") + "inplace={inplace}")
            text += f" + ({separated} if self.inplace else '')"
    else:
        text = _text(prints)
    return [_Method("extra_repr", f"def extra_repr(self):\n    return {text}", {"return": "str"})]


def _text(prints: str) -> str:
    """The expression that fills in the attributes."""
    return "f" + repr(re.sub(r"\{(\w+)", r"{self.\1", prints))


def _install(cls: type, methods: list[_Method]) -> None:
    """Compiles the methods as a part of this file's folder, which errors and traces skip; tracebacks show the lines."""
    source = "\n\n".join(method.source for method in methods) + "\n"
    filename = os.path.join(os.path.dirname(__file__), f"<{cls.__name__}>")
    namespace: dict[str, Any] = {"__name__": cls.__module__, "F": F, "first": _declared(cls)[0]}
    exec(compile(source, filename, "exec"), namespace)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    for method in methods:
        function = namespace[method.name]
        function.__qualname__ = f"{cls.__qualname__}.{method.name}"
        function.__annotations__ = method.annotations
        function.__defaults__ = method.defaults or None
        function.__kwdefaults__ = method.named_defaults
        setattr(cls, method.name, function)


__all__ = ["buffer", "layer"]
