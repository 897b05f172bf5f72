"""Tensors that are made by counting: arange, linspace, logspace, eye."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dialects.hl import shape as s
from ..dialects.hl.elementwise import CompareOp
from ..dialects.types import DType, f64, i1, i64
from .creation import finished, from_array, made_on
from .devices import place
from .dispatch import apply
from .errors import located, runtime_error, type_error
from .modes import modes
from .promotion import get_default_dtype, python_dtype
from .tensor import Tensor


def _length(start: Any, end: Any, step: Any) -> int:
    if not math.isfinite(start) or not math.isfinite(end):
        raise runtime_error(f"unsupported range: {start} -> {end}")
    if step == 0 or step != step:
        raise runtime_error("step must be nonzero")
    count = math.ceil((end - start) / step)
    if count >= 1 << 62:
        raise runtime_error("invalid size, possible overflow?")
    if count < 0:
        raise runtime_error("upper bound and larger bound inconsistent with step sign")
    return count


def _iota(count: int, dtype: DType) -> Tensor:
    return apply(s.IotaOp, (), {"shape": (count,), "dtype": dtype, "dimension": 0})[0]


def arange(
    start: Any = None, end: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """start, start + step, ... as far as end, which is left out."""
    where = place(device)
    if end is None:
        start, end = 0, start
    if end is None:
        raise type_error("arange(): missing the argument 'end'")
    if start is None:
        raise type_error("arange(): argument 'start' must be a number, not NoneType")
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if dtype is None:
        dtype = i64 if all(python_dtype(v) in (i1, i64) for v in (start, end, step)) else get_default_dtype()
    if dtype is i1:
        raise located(NotImplementedError, "\"arange_cpu\" not implemented for 'Bool'")
    count = _length(start, end, step)
    wide = f64 if dtype.kind == "float" else i64
    if modes.trace is None:
        with np.errstate(all="ignore"):
            values = np.arange(count, dtype=wide.numpy) * np.asarray(step, wide.numpy) + np.asarray(start, wide.numpy)
        return finished(from_array(values.astype(dtype.numpy), where), requires_grad)
    with made_on(where):
        x: Any = _iota(count, wide)
        x = x if step == 1 else x * step
        x = x if start == 0 else x + start
        return finished(x.to(dtype), requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced numbers from start to end."""
    where = place(device)
    if steps < 0:
        raise runtime_error("number of steps must be non-negative")
    dtype = dtype or get_default_dtype()
    start, end = float(start), float(end)
    x = np.linspace(start, end, steps, dtype=np.float64).astype(dtype.numpy)
    return finished(from_array(x, where), requires_grad)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: DType | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base ** x for `steps` evenly spaced x from start to end."""
    where = place(device)
    if steps < 0:
        raise runtime_error("number of steps must be non-negative")
    x = np.logspace(float(start), float(end), steps, base=base, dtype=np.float64)
    return finished(from_array(x.astype((dtype or get_default_dtype()).numpy), where), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    where = place(device)
    dtype = dtype or get_default_dtype()
    shape = (n, n if m is None else m)
    if min(shape) < 0:
        raise runtime_error(f"n must be greater or equal to 0, got {min(shape)}")
    if modes.trace is None:
        return finished(from_array(np.eye(*shape, dtype=dtype.numpy), where), requires_grad)
    with made_on(where):
        rows, columns = (
            apply(s.IotaOp, (), {"shape": shape, "dtype": i64, "dimension": dimension})[0] for dimension in (0, 1)
        )
        same = apply(CompareOp, (rows, columns), {"predicate": "eq"})[0]
        return finished(same.to(dtype), requires_grad)


FUNCTIONS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (arange, eye, linspace, logspace)}
METHODS: dict[str, Callable[..., Any]] = {}

__all__ = ["FUNCTIONS", "METHODS"]
