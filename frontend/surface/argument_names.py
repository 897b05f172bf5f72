"""What PyTorch takes besides a function's own arguments: NumPy's names, Python types for dtype, `out`, and for new
tensors what makes no difference here.

axis=0        dim=0                     keepdims=True     keepdim=True
dtype=float   dtype=torch.float64       out=t             the result is written into t, and t is returned
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...dialects.types import DType, f64, i1, i64
from ..devices import placed, use
from .argument_kinds import check_dtype, explained
from .argument_types import explain, mark_explained
from .out_argument import into

PYTHON_TYPES: dict[Any, DType] = {float: f64, int: i64, bool: i1}
"""What a Python type means as a dtype."""

NO_DIFFERENCE = ("layout", "memory_format", "pin_memory")
"""Arguments of functions that make tensors: there is one layout, and one memory."""


def adapted(function: Callable[..., Any], out: bool = False) -> Callable[..., Any]:
    """The function, taking these arguments too; `out` says whether it has that one."""
    code = getattr(function, "__code__", None)
    if code is None:
        return function
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    dim = next((name for name in ("dim", "dims") if name in names), None)
    has_dtype, places = "dtype" in names, "device" not in names
    ignored = [name for name in NO_DIFFERENCE if name not in names] if "device" in names else []
    if dim is None and not has_dtype and not out:
        return explained(function)

    @wraps(function)
    def renamed(*args: Any, **options: Any) -> Any:
        try:
            if use.elsewhere and places:
                return placed(with_options, (args, options), {})
            return with_options(args, options) if options else function(*args)
        except AttributeError as error:
            explain(error, function, args, options)
            raise

    def with_options(args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if dim is not None and "axis" in options:
            options[dim] = options.pop("axis")
        if dim is not None and "keepdims" in options:
            options["keepdim"] = options.pop("keepdims")
        if has_dtype:
            kind = options.get("dtype")
            if isinstance(kind, type):
                options["dtype"] = kind = PYTHON_TYPES.get(kind, kind)
            check_dtype(function.__name__, kind)
        for name in ignored:
            options.pop(name, None)
        if out and "out" in options:
            target = options.pop("out")
            if target is not None:
                return into(target, function(*args, **options), function.__name__)
        return function(*args, **options)

    return mark_explained(renamed, function)


__all__ = ["PYTHON_TYPES", "adapted"]
