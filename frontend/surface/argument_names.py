"""What PyTorch takes besides a function's own arguments: NumPy's names, Python types for dtype, and `out`.

axis=0        dim=0                     keepdims=True     keepdim=True
dtype=float   dtype=torch.float64       out=t             the result is written into t, and t is returned
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...dialects.types import DType, f64, i1, i64
from .out_argument import into

PYTHON_TYPES: dict[Any, DType] = {float: f64, int: i64, bool: i1}
"""What a Python type means as a dtype."""


def adapted(function: Callable[..., Any], out: bool = False) -> Callable[..., Any]:
    """The function, taking these arguments too; `out` says whether it has that one."""
    code = getattr(function, "__code__", None)
    if code is None:
        return function
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    dim = next((name for name in ("dim", "dims") if name in names), None)
    has_dtype = "dtype" in names
    if dim is None and not has_dtype and not out:
        return function

    @wraps(function)
    def renamed(*args: Any, **options: Any) -> Any:
        if not options:
            return function(*args)
        if dim is not None and "axis" in options:
            options[dim] = options.pop("axis")
        if dim is not None and "keepdims" in options:
            options["keepdim"] = options.pop("keepdims")
        if has_dtype:
            kind = options.get("dtype")
            if isinstance(kind, type):
                options["dtype"] = PYTHON_TYPES.get(kind, kind)
        if out and "out" in options:
            target = options.pop("out")
            if target is not None:
                return into(target, function(*args, **options), function.__name__)
        return function(*args, **options)

    return renamed


__all__ = ["PYTHON_TYPES", "adapted"]
