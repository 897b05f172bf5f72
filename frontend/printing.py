"""Printing tensors as PyTorch prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dialects.types import i64
from .devices import CPU
from .eager import on_host
from .modes import modes
from .promotion import get_default_dtype
from .tensor import Tensor


@dataclass
class Options:
    """How to print: `set_printoptions` changes these."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = Options()
PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are printed; what is None stays."""
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes = {name: value for name, value in given.items() if value is not None}
    changes = {**PROFILES[profile], **changes} if profile else changes
    for name, value in changes.items():
        setattr(OPTIONS, name, value)
    OPTIONS.sci_mode = sci_mode


class _Formatter:
    """Formats every element of one tensor alike, in a common width."""

    def __init__(self, shown: np.ndarray[Any, Any]) -> None:
        self.floating = shown.dtype.kind == "f"
        self.integral = True
        self.scientific = False
        self.width = 1
        if not self.floating:
            self.width = max([self.width, *(len(str(v)) for v in shown.reshape(-1).tolist())])
            return
        values = shown.reshape(-1).astype(np.float64)
        finite = values[np.isfinite(values) & (values != 0)]
        if finite.size == 0:
            return
        magnitude = np.abs(finite)
        low, high = float(magnitude.min()), float(magnitude.max())
        self.integral = bool((finite == np.ceil(finite)).all())
        ratio = high / low if low else math.inf
        self.scientific = ratio > 1000.0 or high > 1.0e8 or low < 1.0e-4
        if OPTIONS.sci_mode is not None:
            self.scientific = OPTIONS.sci_mode
        self.width = max([self.width, *(len(self.text(v)) for v in finite.tolist())])

    def text(self, value: Any) -> str:
        """One element, not padded."""
        if not self.floating:
            return str(value)
        if self.scientific:
            return f"{value:.{OPTIONS.precision}e}"
        if self.integral:
            text = f"{value:.0f}"
            return text if not math.isfinite(value) else text + "."
        return f"{value:.{OPTIONS.precision}f}"

    def padded(self, value: Any) -> str:
        """One element in the common width."""
        return self.text(value).rjust(self.width)


def _row(array: np.ndarray[Any, Any], indent: int, summarize: bool, formatter: _Formatter) -> str:
    per_line = max(1, math.floor((OPTIONS.linewidth - indent) / (formatter.width + 2)))
    values = array.tolist()
    edge = OPTIONS.edgeitems
    if summarize and len(values) > 2 * edge:
        cells = [*map(formatter.padded, values[:edge]), " ...", *map(formatter.padded, values[-edge:])]
    else:
        cells = [formatter.padded(v) for v in values]
    lines = [", ".join(cells[k : k + per_line]) for k in range(0, len(cells), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(array: np.ndarray[Any, Any], indent: int, summarize: bool, formatter: _Formatter) -> str:
    if array.ndim == 0:
        return formatter.padded(array.item())
    if array.ndim == 1:
        return _row(array, indent, summarize, formatter)
    edge = OPTIONS.edgeitems
    if summarize and len(array) > 2 * edge:
        parts = [_nested(part, indent + 1, summarize, formatter) for part in array[:edge]]
        parts.append("...")
        parts += [_nested(part, indent + 1, summarize, formatter) for part in array[len(array) - edge :]]
    else:
        parts = [_nested(part, indent + 1, summarize, formatter) for part in array]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _corners(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements that a summary shows."""
    edge = OPTIONS.edgeitems
    for d, n in enumerate(array.shape):
        if n > 2 * edge:
            array = np.take(array, [*range(edge), *range(n - edge, n)], axis=d)
    return array


def tensor_text(x: Tensor, *, tensor_contents: Any = None) -> str:
    """repr of a tensor."""
    prefix = "tensor("
    indent = len(prefix)
    shape, dtype = x._spec.shape, x._spec.dtype
    suffixes: list[str] = []
    if x._storage.symbolic or modes.trace is not None:
        return f"{prefix}<value of a compiled function>, size={list(shape)}, dtype={dtype})"
    array = on_host(x)
    if x.device is not CPU:
        suffixes.append(f"device='{x.device}'")
    shown_dtype = dtype in (get_default_dtype(), i64) or dtype.kind == "bool"
    if array.size == 0:
        if len(shape) != 1:
            suffixes.append(f"size={shape}")
        shown_dtype = dtype is get_default_dtype()
        body = "[]"
    else:
        summarize = array.size > OPTIONS.threshold
        with np.errstate(all="ignore"):
            formatter = _Formatter(_corners(array) if summarize else array)
            body = _nested(array, indent, summarize, formatter)
    if not shown_dtype:
        suffixes.append(f"dtype={dtype}")
    node = x.grad_fn
    if node is not None:
        suffixes.append(f"grad_fn=<{node.label}>")
    elif x.requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(prefix + body, suffixes, indent)


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    parts = [text]
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > OPTIONS.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            last = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            last += len(suffix) + 2
    return "".join(parts) + ")"


__all__ = ["set_printoptions", "tensor_text"]
