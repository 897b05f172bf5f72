"""Functions over one, two and three spatial dimensions: one function of the rank, and a name for each.

    conv1d, conv2d, conv3d = by_rank(_conv, "conv{}d", "Cross-correlation of {input} by (O, C / groups, {kernel}).")

stands for

    def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, ...) -> Tensor:
        \"\"\"Cross-correlation of (N, C, L) by (O, C / groups, K).\"\"\"
        return _conv(1, input, weight, bias, ...)

and for two more.
"""

from __future__ import annotations

import inspect
import linecache
import os
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

WORDS: dict[int, dict[str, str]] = {
    1: {"input": "(N, C, L)", "features": "(N, C) or (N, C, L)", "kernel": "K", "dims": "dimension", "their": "its"},
    2: {
        "input": "(N, C, H, W)",
        "features": "(N, C, H, W)",
        "kernel": "K, K",
        "dims": "two dimensions",
        "their": "their",
    },
    3: {
        "input": "(N, C, D, H, W)",
        "features": "(N, C, D, H, W)",
        "kernel": "K, K, K",
        "dims": "three dimensions",
        "their": "their",
    },
}
"""What docstrings say of each rank."""


def by_rank(
    function: Callable[Concatenate[int, P], R], name: str, says: str, ranks: tuple[int, ...] = (1, 2, 3)
) -> tuple[Callable[P, R], ...]:
    """Functions that call one with their rank in front. `says`: their docstring, with WORDS to fill in."""
    return tuple(_of_rank(function, rank, name.format(rank), says.format(rank=rank, **WORDS[rank])) for rank in ranks)


def _of_rank(function: Any, rank: int, name: str, says: str) -> Any:
    """Compiled as a part of this folder, which errors and traces skip; tracebacks show the lines."""
    _, *parameters = inspect.signature(function).parameters
    given = ", ".join(parameters)
    source = f"def {name}({given}):\n    return {function.__name__}({rank}, {given})\n"
    filename = os.path.join(os.path.dirname(__file__), f"<{name}>")
    namespace: dict[str, Any] = {"__name__": function.__module__, function.__name__: function}
    exec(compile(source, filename, "exec"), namespace)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    made = namespace[name]
    made.__doc__, made.__defaults__ = says, function.__defaults__
    made.__annotations__ = {key: value for key, value in function.__annotations__.items() if key != "rank"}
    return made


__all__ = ["WORDS", "by_rank"]
