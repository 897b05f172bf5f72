"""Values in messages."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .places import MISSING, PLAIN
from .weak import referent


def show(value: Any, depth: int = 3) -> str:
    """A value in a message: short, and never the numbers of a tensor."""
    value = referent(value)
    if type(value) in PLAIN or value is MISSING:
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    if isinstance(value, np.ndarray):
        return show(cast("np.ndarray[Any, Any]", value)[..., :8].tolist() if value.ndim else value.item())
    if isinstance(value, (tuple, list)):
        items = cast("tuple[Any, ...] | list[Any]", value)
        if not depth:
            return "[...]" if items else "[]"
        inner = ", ".join(show(x, depth - 1) for x in items[:4]) + (", ..." if len(items) > 4 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return f"a {type(value).__name__} (id {id(value):#x})"


__all__ = ["show"]
