"""Functions of indices and divisors, and values for these that they refuse: what they raise must be the same compiled.

    HOSTILE["gather"].function(tensors, index)        with any of HOSTILE["gather"].values()

`w` is a 5 x 6 tensor, `v` a vector of 7; every function takes them and one tensor of integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import irtool
import numpy as np
from irtool import Tensor
from irtool.nn import functional as F

Function = Callable[[Tensor, Tensor, Tensor], Any]

INDICES = {"one too many": 0, "one too few": -1, "huge": 2**62, "least": -(2**63), "largest": 2**63 - 1}
"""What is wrong with an index: "one too many" and "one too few" are added to the ends of the range."""


@dataclass(frozen=True)
class Hostile:
    """One function."""

    function: Function
    low: int
    high: int
    """The range that passes: low <= value < high."""
    shape: tuple[int, ...] = (3,)
    dtypes: tuple[str, ...] = ("int64", "int32")
    nonzero: bool = False
    """Whether zeros are what is refused."""

    def good(self, dtype: str = "int64") -> np.ndarray[Any, Any]:
        """Values that pass."""
        rng = np.random.default_rng(0)
        return np.asarray(rng.integers(1 if self.nonzero else max(self.low, 0), self.high, self.shape)).astype(dtype)

    def bad(self, dtype: str = "int64") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Values that do not, with a name for each: one element in the middle, or two, the first of which counts."""
        wrong = {"zero": 0} if self.nonzero else self._wrong()
        info = np.iinfo(dtype)
        for name, value in wrong.items():
            if info.min <= value <= info.max:
                array = self.good(dtype)
                array.reshape(-1)[array.size // 2 :] = value
                yield name, array

    def _wrong(self) -> dict[str, int]:
        ends = {"one too many": self.high, "one too few": self.low - 1}
        return ends | {name: value for name, value in INDICES.items() if name not in ends}


def _written(w: Tensor, write: Callable[[Tensor], None]) -> Tensor:
    new = w.clone()
    write(new)
    return new


def _set_rows(w: Tensor, i: Tensor) -> Tensor:
    return _written(w, lambda new: new.__setitem__(i, 1.0))


def _set_columns(w: Tensor, i: Tensor) -> Tensor:
    return _written(w, lambda new: new.__setitem__((slice(None), i), 2.0))


LONG = ("int64",)

HOSTILE: dict[str, Hostile] = {
    "x[i]": Hostile(lambda w, v, i: w[i], -5, 5),
    "x[:, i]": Hostile(lambda w, v, i: w[:, i], -6, 6),
    "x[i, 0]": Hostile(lambda w, v, i: w[i, 0], -5, 5),
    "x[0, i]": Hostile(lambda w, v, i: w[0, i], -6, 6),
    "x[i, j]": Hostile(lambda w, v, i: w[i, i.clamp(0, 5)], -5, 5),
    "x[i, :, None]": Hostile(lambda w, v, i: w[i, :, None], -5, 5),
    "x[i] of a matrix of indices": Hostile(lambda w, v, i: w[i], -5, 5, (2, 3)),
    "x[i] of one index": Hostile(lambda w, v, i: w[i.reshape(1)], -5, 5, ()),
    "x[i] of a 0-d index": Hostile(lambda w, v, i: w[i], -5, 5, ()),
    "x[:, i] of a 0-d index": Hostile(lambda w, v, i: w[:, i], -6, 6, ()),
    "x[i] of a slice": Hostile(lambda w, v, i: w[1:4][i[::2]], -3, 3, (5,)),
    "x[i] of a view": Hostile(lambda w, v, i: w.t()[i.reshape(2, 2).t()], -6, 6, (4,)),
    "embedding": Hostile(lambda w, v, i: F.embedding(i, w), 0, 5, (2, 2)),
    "embedding with padding": Hostile(lambda w, v, i: F.embedding(i, w, padding_idx=1), 0, 5),
    "embedding_bag": Hostile(lambda w, v, i: F.embedding_bag(i, w), 0, 5, (2, 3)),
    "gather": Hostile(lambda w, v, i: w.gather(1, i), 0, 6, (5, 2)),
    "gather of a vector": Hostile(lambda w, v, i: v.gather(0, i), 0, 7),
    "take": Hostile(lambda w, v, i: w.take(i), -30, 30, (2, 2), LONG),
    "index_select": Hostile(lambda w, v, i: w.index_select(1, i), 0, 6),
    "take_along_dim of all": Hostile(lambda w, v, i: irtool.take_along_dim(w, i), -30, 30, (4,), LONG),
    "index_add": Hostile(lambda w, v, i: w.index_add(0, i, w[:3]), 0, 5),
    "index_copy": Hostile(lambda w, v, i: w.index_copy(0, i, w[:3]), 0, 5, (3,), LONG),
    "index_fill": Hostile(lambda w, v, i: w.index_fill(1, i, 3.0), -6, 6, (3,), LONG),
    "index_reduce": Hostile(lambda w, v, i: w.index_reduce(0, i, w[:3], "prod"), 0, 5),
    "index_put": Hostile(lambda w, v, i: w.index_put((i,), w[:3]), -5, 5, (3,), LONG),
    "index_put of two": Hostile(lambda w, v, i: w.index_put((i, i), v[:3]), -5, 5, (3,), LONG),
    "index_put, accumulated": Hostile(lambda w, v, i: w.index_put((i,), w[:3], accumulate=True), -5, 5, (3,), LONG),
    "put": Hostile(lambda w, v, i: w.put(i, v[:3]), -30, 30, (3,), LONG),
    "scatter": Hostile(lambda w, v, i: w.scatter(1, i, w), 0, 6, (5, 2)),
    "scatter of a number": Hostile(lambda w, v, i: w.scatter(0, i, 1.5), 0, 5, (2, 6)),
    "scatter_add": Hostile(lambda w, v, i: w.scatter_add(1, i, w), 0, 6, (5, 2)),
    "scatter_reduce": Hostile(lambda w, v, i: w.scatter_reduce(1, i, w, "amax"), 0, 6, (5, 2)),
    "x[i] = 1": Hostile(lambda w, v, i: _set_rows(w, i), -5, 5),
    "x[:, i] = 2": Hostile(lambda w, v, i: _set_columns(w, i), -6, 6),
    "cross_entropy": Hostile(lambda w, v, i: F.cross_entropy(w, i), 0, 6, (5,), LONG),
    "cross_entropy, weighted": Hostile(
        lambda w, v, i: F.cross_entropy(w, i, weight=v[:6].abs(), label_smoothing=0.1), 0, 6, (5,), LONG
    ),
    "cross_entropy of images": Hostile(lambda w, v, i: F.cross_entropy(w.reshape(1, 5, 6), i), 0, 5, (1, 6), LONG),
    "cross_entropy of its own index to ignore": Hostile(
        lambda w, v, i: F.cross_entropy(w, i, ignore_index=1), 0, 6, (5,), LONG
    ),
    "nll_loss": Hostile(lambda w, v, i: F.nll_loss(w, i), 0, 6, (5,), LONG),
    "multi_margin_loss": Hostile(lambda w, v, i: F.multi_margin_loss(w, i), 0, 6, (5,), LONG),
    "one_hot": Hostile(lambda w, v, i: F.one_hot(i, 6), 0, 6, (3,), LONG),
    **{
        name: Hostile(function, 0, 100, (2, 3), ("int64", "int32", "uint8"), nonzero=True)
        for name, function in {
            "//": lambda w, v, i: i // i,
            "%": lambda w, v, i: (i + 1) % i,
            "a number //": lambda w, v, i: 7 // i,
            "a number %": lambda w, v, i: 7 % i,
            "floor_divide": lambda w, v, i: irtool.floor_divide(i, i),
            "remainder": lambda w, v, i: irtool.remainder(i, i),
            "fmod": lambda w, v, i: irtool.fmod(i, i),
            "div, floored": lambda w, v, i: irtool.div(i, i, rounding_mode="floor"),
            "div, truncated": lambda w, v, i: irtool.div(i, i, rounding_mode="trunc"),
            "//=": lambda w, v, i: _written(i, lambda new: new.__ifloordiv__(i)),
        }.items()
    },
}
