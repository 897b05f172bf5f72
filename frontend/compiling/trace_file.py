"""`irtool trace FILE.py:FUNCTION`: the traced IR of a function in a Python file.

The arguments come from, in this order: what is asked for (`f32[64,784]`), annotations in the same form, defaults; and
otherwise from the file itself, which is run until it calls the function.
"""

from __future__ import annotations

import inspect
import re
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr

from ...dialects.locations import at_line
from ...dialects.types import DTYPES, TensorSpec
from .. import eager
from ..tensor import Tensor, wrap
from .compiled import Compiled

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

_SPEC = re.compile(r"\s*(\w+)\s*\[([\d,\s]*)\]\s*")
_DTYPES = {name: d for d in DTYPES for name in (d.name, d.torch_name)}


class TraceError(ValueError):
    """A function that cannot be found or whose arguments are unknown; `location` says where, if that is known."""

    def __init__(self, message: str, location: LocationAttr = UNKNOWN_LOC) -> None:
        super().__init__(message)
        self.location = location


def parse_spec(text: str) -> TensorSpec:
    """`f32[64, 784]` or `int64[64]` as a spec. Raises TraceError."""
    match = _SPEC.fullmatch(text)
    if match is None or match[1] not in _DTYPES:
        raise TraceError(
            f"expected an argument like f32[64,784], with one of {', '.join(sorted(_DTYPES))}; got {text!r}"
        )
    return TensorSpec(tuple(int(n) for n in match[2].split(",") if n.strip()), _DTYPES[match[1]])


def trace_function(path: str, name: str, arguments: Sequence[str] = ()) -> ModuleOp:
    """The module that tracing `name` of a Python file gives. Raises TraceError, and whatever the file raises."""
    file = Path(path)
    if not file.is_file():
        raise TraceError("no such file")
    _check_is_python(file)
    before, searched = sys.argv, list(sys.path)
    sys.argv = [path]
    sys.path.insert(0, str(file.resolve().parent))
    try:
        return _trace(path, name, arguments)
    except SystemExit as end:
        raise TraceError(f"the file ends with sys.exit({end.code!r}) before {name!r} is traced") from None
    finally:
        sys.argv, sys.path[:] = before, searched


def _check_is_python(file: Path) -> None:
    """Raises TraceError for a file of another language; errors in Python are Python's to tell."""
    if file.suffix == ".py":
        return
    try:
        compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = getattr(error, "msg", error)
        raise TraceError(f"expected Python, as in FILE.py:FUNCTION: {reason}", at_line(str(file), line)) from error


def _trace(path: str, name: str, arguments: Sequence[str]) -> ModuleOp:
    namespace = runpy.run_path(path, run_name="__irtool_trace__")
    function = _find(namespace, name)
    if function is None:
        raise TraceError(f"no function {name!r}; it has {', '.join(_functions(namespace)) or 'none'}")
    if isinstance(function, Compiled) and function.programs():
        return function.programs()[-1].traced.module
    if not callable(function):
        raise TraceError(f"{name!r} is a {type(function).__name__}, not a function")
    values = _arguments(function, arguments)
    if values is not None:
        plain = function._function if isinstance(function, Compiled) else function
        compiled = Compiled(plain, "reference")
        return compiled.trace(*values)
    return _run_until_called(path, name)


def _find(namespace: dict[str, Any], name: str) -> Any:
    first, *rest = name.split(".")
    found = namespace.get(first)
    for part in rest:
        found = getattr(found, part, None)
    return found


def _functions(namespace: dict[str, Any]) -> list[str]:
    return [n for n, v in namespace.items() if isinstance(v, Compiled) or inspect.isfunction(v)]


def _arguments(function: Callable[..., Any], given: Sequence[str]) -> list[Any] | None:
    """Example arguments; None where they are not known."""
    if given:
        return [example(parse_spec(text)) for text in given]
    values: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if isinstance(parameter.annotation, str) and _SPEC.fullmatch(parameter.annotation.strip("'\"")):
            values.append(example(parse_spec(parameter.annotation.strip("'\""))))
        elif parameter.default is not parameter.empty:
            values.append(parameter.default)
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return None
    return values


def example(spec: TensorSpec) -> Tensor:
    """A tensor of zeros."""
    found: Tensor = wrap(eager.filled(spec, 0), spec)
    return found


class _Called(BaseException):
    """Ends the run of a file once its function has been traced."""

    def __init__(self, module: ModuleOp) -> None:
        super().__init__()
        self.module = module


def _run_until_called(path: str, name: str) -> ModuleOp:
    def intercept(self: Compiled, *args: Any, **kwargs: Any) -> Any:
        if getattr(self._function, "__name__", None) == name.rpartition(".")[2]:
            raise _Called(self.trace(*args, **kwargs))
        return original(self, *args, **kwargs)

    original = Compiled.__call__
    Compiled.__call__ = intercept
    try:
        runpy.run_path(path, run_name="__main__")
    except _Called as called:
        return called.module
    finally:
        Compiled.__call__ = original
    raise TraceError(
        f"the arguments of {name!r} are not known. Pass them, as in f32[64,784], or annotate the parameters, "
        "or compile the function and call it in the file"
    )
