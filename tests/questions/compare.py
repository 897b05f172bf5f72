"""Results of calls in a form that is compared."""

from __future__ import annotations

import dataclasses
import enum
import math
from dataclasses import dataclass
from typing import Any

import irtool
import numpy as np

DENORMAL = {np.dtype(np.float32): 1.2e-38, np.dtype(np.float64): 2.3e-308}
"""Magnitudes below count as zero."""


@dataclass
class Outcome:
    """What one call gave and left."""

    s: Any
    result: Any
    error: BaseException | None
    effects: Any
    argument: Any
    printed: str


def describe(value: Any) -> Any:
    """A value with the types of all its parts; tensors and arrays by what they hold now."""
    kind = type(value).__qualname__
    if isinstance(value, irtool.Tensor):
        try:
            return kind, str(value.dtype), value.requires_grad, Array(np.array(value.detach().numpy()))
        except Exception as e:
            return kind, "cannot be read", str(e)
    if isinstance(value, (np.ndarray, np.generic)):
        return kind, Array(np.array(value))
    if isinstance(value, float):
        return kind, Number(float(value))
    if isinstance(value, complex):
        return kind, Number(value.real), Number(value.imag)
    if isinstance(value, (str, bytes, int, type(None), range, slice, type, enum.Enum)):
        return kind, str(value)
    if isinstance(value, dict):
        return kind, tuple((describe(k), describe(v)) for k, v in value.items())
    if isinstance(value, (set, frozenset)):
        return kind, tuple(sorted(map(repr, value)))
    if isinstance(value, (list, tuple)) or type(value).__name__ in ("deque", "array", "bytearray"):
        return kind, tuple(map(describe, value))
    if dataclasses.is_dataclass(value):
        return kind, describe(vars(value))
    try:
        text = repr(value)
    except Exception as e:
        text = f"no text: {type(e).__name__}"
    return (kind, text) if " at 0x" not in text else (kind,)


class Number:
    """A float: what a program computes in another order may differ in the last places; the sign of zero may not."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        a, b = self.value, other.value if isinstance(other, Number) else None
        if b is None:
            return False
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return math.isclose(a, b, rel_tol=1e-12) and math.copysign(1, a) == math.copysign(1, b)

    def __repr__(self) -> str:
        return repr(self.value)


class Array:
    """The elements of a tensor."""

    def __init__(self, value: np.ndarray[Any, Any]) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        a, b = self.value, other.value if isinstance(other, Array) else None
        if b is None or a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.kind not in "fc":
            return bool((a == b).all()) if a.dtype.kind != "O" else bool(a == b)
        tiny = DENORMAL.get(a.dtype, 0.0)
        return np.allclose(a, b, rtol=1e-5 if a.dtype == np.float32 else 1e-11, atol=tiny, equal_nan=True)

    def __repr__(self) -> str:
        return f"{self.value.dtype}{self.value.tolist()}"


def difference(eager: Outcome, compiled: Outcome, before: Any) -> str:
    """How a compiled call differs from the eager one, or nothing. Failed calls may change nothing."""
    if type(eager.error) is not type(compiled.error):
        return f"raised {compiled.error!r}, eager {eager.error!r}"
    if eager.result != compiled.result:
        return f"gave {compiled.result}, eager {eager.result}"
    failed = eager.error is not None
    if eager.effects != compiled.effects and not (failed and compiled.effects == before):
        return f"left {compiled.effects}, eager {eager.effects}"
    if eager.argument != compiled.argument and not failed:
        return f"left the argument as {compiled.argument}, eager {eager.argument}"
    if eager.printed != compiled.printed and not (failed and not compiled.printed):
        return f"printed {compiled.printed!r}, eager {eager.printed!r}"
    return ""
