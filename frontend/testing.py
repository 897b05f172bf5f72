"""Comparisons for tests: torch.testing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..dialects.types import DType, f32, f64
from .creation import as_tensor
from .eager import on_host
from .surface.unsupported import module_getattr
from .tensor import Tensor

Message = str | Callable[[str], str] | None
Array = np.ndarray[Any, Any]

TOLERANCES: dict[DType, tuple[float, float]] = {f32: (1.3e-6, 1e-5), f64: (1e-7, 1e-7)}
"""How far values of an element type may lie apart, relatively and absolutely; those of others must be equal."""


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, arrays, numbers, and sequences and mappings of these; shapes and, with `check_dtype`, element types
    must be equal. `msg` replaces the message, or makes one from it. Raises ValueError where only one of `rtol` and
    `atol` is given, TypeError for values that are not compared.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"Both tolerances 'rtol' and 'atol' must be either specified or unspecified, but got no "
            f"{'rtol' if rtol is None else 'atol'}"
        )
    given = None if rtol is None or atol is None else (rtol, atol)
    for place, x, y in _pairs(actual, expected, ""):
        problem = _problem(x, y, given, equal_nan, check_dtype, allow_subclasses)
        if problem is not None:
            problem = _placed(problem, place)
            raise AssertionError(problem if msg is None else msg(problem) if callable(msg) else msg)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The older form of assert_close, which compares values alone."""
    x = as_tensor(actual)
    y = as_tensor(expected, dtype=x.dtype)
    assert_close(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _pairs(x: Any, y: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """What is compared, and where in the arguments it is."""
    if _both(x, y, Mapping):
        if x.keys() != y.keys():
            raise AssertionError(_placed(f"The keys of the mappings do not match: {list(x)} and {list(y)}", place))
        for key in x:
            yield from _pairs(x[key], y[key], f"{place}[{key!r}]")
    elif _both(x, y, Sequence) and not _both(x, y, str | bytes):
        if len(x) != len(y):
            raise AssertionError(_placed(f"The length of the sequences mismatch: {len(x)} != {len(y)}", place))
        for index, (one, other) in enumerate(zip(x, y, strict=True)):
            yield from _pairs(one, other, f"{place}[{index}]")
    else:
        yield place, x, y


def _both(x: Any, y: Any, kind: Any) -> bool:
    return isinstance(x, kind) and isinstance(y, kind)


def _placed(problem: str, place: str) -> str:
    return f"{problem}\n\nThe failure occurred for item {place}" if place else problem


def _problem(
    x: Any, y: Any, given: tuple[float, float] | None, equal_nan: bool, check_dtype: bool, subclasses: bool
) -> str | None:
    """How two values differ; None where they are close."""
    if x is None or y is None:
        return None if x is y else f"None mismatch: {x} is not {y}"
    if _both(x, y, bool | np.bool_):
        return None if x == y else f"Booleans mismatch: {x} is not {y}"
    numbers = _both(x, y, int | float)
    if not (numbers or _both(x, y, Tensor | np.ndarray | np.generic)) or not (subclasses or type(x) is type(y)):
        raise TypeError(f"values of {type(x)} and of {type(y)} are not compared: convert one to what the other is")
    if numbers:
        if check_dtype and type(x) is not type(y):
            return f"The (d)types do not match: {type(x)} != {type(y)}."
        found = (1e-7, 1e-7) if isinstance(x, float) or isinstance(y, float) else (0.0, 0.0)
        return _differences("Scalars", np.asarray(x), np.asarray(y), given or found, equal_nan)
    x, y = as_tensor(x).detach(), as_tensor(y).detach()
    if x.shape != y.shape:
        return f"The values for attribute 'shape' do not match: {x.shape} != {y.shape}."
    if check_dtype and x.dtype != y.dtype:
        return f"The values for attribute 'dtype' do not match: {x.dtype} != {y.dtype}."
    rtols, atols = zip(*(TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (x, y)), strict=True)
    return _differences("Tensor-likes", on_host(x), on_host(y), given or (max(rtols), max(atols)), equal_nan)


def _differences(kind: str, x: Array, y: Array, tolerances: tuple[float, float], equal_nan: bool) -> str | None:
    rtol, atol = tolerances
    dtype = np.float64 if "f" in (x.dtype.kind, y.dtype.kind) else np.int64
    x, y = x.astype(dtype), y.astype(dtype)
    wrong = ~np.isclose(x, y, rtol, atol, equal_nan)
    if not wrong.any():
        return None
    with np.errstate(all="ignore"):
        absolute = np.where(x == y, 0.0, np.abs(x - y).astype(np.float64))
        relative = np.where(x == y, 0.0, absolute / np.abs(y))
    how = "close" if rtol or atol else "equal"
    if x.shape:
        count = f"{int(wrong.sum())} / {x.size} ({100 * wrong.mean():.1f}%)"
        lines = [f"Mismatched elements: {count}", _line("Greatest absolute", absolute, atol)]
        lines.append(_line("Greatest relative", relative, rtol))
    else:
        lines = [f"Expected {y.item()} but got {x.item()}.", _line("Absolute", absolute, atol)]
        lines.append(_line("Relative", relative, rtol))
    return "\n".join([f"{kind} are not {how}!", "", *lines])


def _line(name: str, difference: Array, allowed: float) -> str:
    position = np.unravel_index(int(np.argmax(difference)), difference.shape)
    place = f" at index {tuple(int(i) for i in position)}" if difference.shape else ""
    limit = f" (up to {allowed} allowed)" if allowed else ""
    return f"{name} difference: {difference[position].item()}{place}{limit}"


__all__ = ["assert_allclose", "assert_close"]

__getattr__ = module_getattr("irtool.testing", lambda: __all__)
