"""Arguments that are one number for all spatial dimensions, or one for each."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import runtime_error
from ...tensor import Tensor

Ints = tuple[int, ...]
Extents = int | Sequence[int]


def spread(value: Extents, rank: int, name: str = "argument") -> Ints:
    """The number for each of `rank` dimensions."""
    if isinstance(value, int):
        return (value,) * rank
    values = tuple(int(v) for v in value)
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        raise runtime_error(f"expected {name} to be a single integer value or a list of {rank} values, got {value}")
    return values


def batched(input: Tensor, rank: int, function: str) -> tuple[Tensor, bool]:
    """The input with a batch dimension before its channels, and whether that was there."""
    if input.ndim not in (rank + 1, rank + 2):
        raise runtime_error(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {function}, "
            f"but got input of size: {list(input.shape)}"
        )
    return (input, True) if input.ndim == rank + 2 else (input.unsqueeze(0), False)
