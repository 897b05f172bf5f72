"""Layers over one, two and three spatial dimensions: a row of the table for all three, whose classes are made of it.

    Ranks("ReflectionPad{}d", padding._Pad, "The last {dims} mirrored at {their} ends.", {"MODE": "reflect"})

stands for

    class ReflectionPad1d(_Pad):
        \"\"\"The last dimension mirrored at its ends.\"\"\"

        RANK, MODE = 1, "reflect"

and two more, which belong to the module of `_Pad`. Type checkers and editors find them in `by_rank.pyi`, which
`make stubs` writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import batchnorm, conv, dropout, lazy, padding, pooling
from . import functional as F
from .functional.by_rank import WORDS
from .layer import layer
from .module import Module


class Ranks(NamedTuple):
    """A row: the layers of one name."""

    name: str
    base: type[Module]
    says: str
    """Their docstrings, with WORDS to fill in."""
    attributes: Mapping[str, Any] = {}
    calls: str | None = None
    """The function of nn.functional that @layer derives `forward` from."""
    ranks: tuple[int, ...] = (1, 2, 3)
    lazy: type[Module] | None = None
    """The base of those that learn from their first input how many channels it has."""


def _function(name: str) -> Callable[[int], Any]:
    """An attribute that is the function of nn.functional for the rank."""
    return lambda rank: staticmethod(getattr(F, name.format(rank)))


TABLE = (
    Ranks("ConstantPad{}d", padding._ConstantPad, "A number around the last {dims}."),
    Ranks("ZeroPad{}d", padding._Pad, "Zeros around the last {dims}.", {"MODE": "constant"}),
    Ranks("ReflectionPad{}d", padding._Pad, "The last {dims} mirrored at {their} ends.", {"MODE": "reflect"}),
    Ranks("ReplicationPad{}d", padding._Pad, "The last {dims} with {their} ends repeated.", {"MODE": "replicate"}),
    Ranks("CircularPad{}d", padding._Pad, "The last {dims} wrapped around.", {"MODE": "circular"}),
    Ranks("Conv{}d", conv._Conv, "Convolution of {input}.", lazy=lazy._LazyConv),
    Ranks("ConvTranspose{}d", conv._ConvTranspose, "Transposed convolution of {input}.", lazy=lazy._LazyConv),
    Ranks("BatchNorm{}d", batchnorm._BatchNorm, "Normalizes channels of {features} over the batch.", lazy=lazy._Lazy),
    Ranks(
        "InstanceNorm{}d",
        batchnorm._InstanceNorm,
        "Normalizes each channel of each sample of {input}.",
        lazy=lazy._Lazy,
    ),
    Ranks("MaxPool{}d", pooling._MaxPool, "The largest value of windows of {input}.", calls="max_pool{}d"),
    Ranks(
        "MaxUnpool{}d",
        pooling._MaxUnpool,
        "The inverse of MaxPool{rank}d, zeros where nothing was largest.",
        {"FUNCTION": _function("max_unpool{}d")},
    ),
    Ranks("AvgPool{}d", pooling._AvgPool, "The mean of windows of {input}.", calls="avg_pool{}d", ranks=(2, 3)),
    Ranks("LPPool{}d", pooling._LPPool, "The p-norm of windows of {input}.", {"FUNCTION": _function("lp_pool{}d")}),
    Ranks(
        "AdaptiveAvgPool{}d",
        pooling._AdaptiveAvgPool,
        "The mean of windows that cut {input} into so many parts.",
        calls="adaptive_avg_pool{}d",
    ),
    Ranks(
        "AdaptiveMaxPool{}d",
        pooling._AdaptiveMaxPool,
        "The largest value of windows that cut {input} into so many parts.",
        calls="adaptive_max_pool{}d",
    ),
    Ranks("Dropout{}d", dropout._Dropout, "Zeroes whole channels of {input}.", calls="dropout{}d"),
)


def _declare(
    name: str, bases: tuple[type[Module], ...], body: Mapping[str, Any], calls: str | None = None
) -> type[Module]:
    """A class statement, in the module of the first base."""
    home = sys.modules[bases[0].__module__]
    made: type[Module] = type(name, bases, {"__module__": home.__name__, **body})
    made = made if calls is None else layer(getattr(F, calls))(made)
    setattr(home, name, made)
    return made


def _classes(table: tuple[Ranks, ...]) -> dict[str, type[Module]]:
    """The layers by name."""
    made: dict[str, type[Module]] = {}
    for row in table:
        for rank in row.ranks:
            name, calls = row.name.format(rank), row.calls and row.calls.format(rank)
            values = {key: value(rank) if callable(value) else value for key, value in row.attributes.items()}
            body = {"__doc__": row.says.format(rank=rank, **WORDS[rank]), "RANK": rank, **values}
            made[name] = _declare(name, (row.base,), body, calls)
            if row.lazy is not None:
                body = {"__doc__": f"{name} of as many channels as the first input has."}
                made[f"Lazy{name}"] = _declare(f"Lazy{name}", (row.lazy, made[name]), body)
    return made


CLASSES = _classes(TABLE)
globals().update(CLASSES)
__all__ = list(CLASSES)  # pyright: ignore[reportUnsupportedDunderAll]
