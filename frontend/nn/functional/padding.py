"""Padding: a constant, or what stands inside mirrored, repeated or wrapped around."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import located, runtime_error
from ...ops.joining import cat, pad_constant, unshared
from ...tensor import Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """(before, after) for each dimension, from the last one on; negative numbers crop."""
    amounts = tuple(int(n) for n in pad)
    if len(amounts) % 2:
        raise runtime_error("Padding length must be divisible by 2")
    if len(amounts) // 2 > input.ndim:
        raise runtime_error(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(amounts)} and input of dimension {input.ndim}"
        )
    if mode == "constant":
        return pad_constant(input, amounts, 0.0 if value is None else value)
    if value is not None and value != 0:
        raise located(RuntimeError, f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in SIDES:
        raise located(NotImplementedError, f"Unrecognised padding mode {mode}")
    if len(amounts) // 2 not in (input.ndim - 1, input.ndim - 2) or len(amounts) > 6:
        raise located(
            NotImplementedError,
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now",
        )
    given = input
    for k in range(len(amounts) // 2):
        input = _padded(input, input.ndim - 1 - k, amounts[2 * k], amounts[2 * k + 1], mode)
    return unshared(input, given)


def _padded(x: Tensor, dim: int, low: int, high: int, mode: str) -> Tensor:
    n = x.shape[dim]
    if mode == "reflect" and max(low, high) >= n:
        raise runtime_error(
            f"Padding size should be less than the corresponding input dimension, but got: padding ({low}, {high}) "
            f"at dimension {dim} of input {list(x.shape)}"
        )
    if mode == "circular" and max(low, high) > n:
        raise runtime_error("Padding value causes wrapping around more than once.")
    middle = x.narrow(dim, max(-low, 0), n - max(-low, 0) - max(-high, 0)) if min(low, high) < 0 else x
    if mode == "circular":  # what is left goes around
        x = middle
    before, after = SIDES[mode]
    parts = [before(x, dim, low)] if low > 0 else []
    parts.append(middle)
    if high > 0:
        parts.append(after(x, dim, high))
    return cat(parts, dim) if len(parts) > 1 else middle


def _repeated(x: Tensor, dim: int, at: int, count: int) -> Tensor:
    shape = list(x.shape)
    shape[dim] = count
    return x.narrow(dim, at, 1).expand(*shape)


Side = Callable[[Tensor, int, int], Tensor]
SIDES: dict[str, tuple[Side, Side]] = {
    "reflect": (
        lambda x, d, n: x.narrow(d, 1, n).flip(d),
        lambda x, d, n: x.narrow(d, x.shape[d] - 1 - n, n).flip(d),
    ),
    "replicate": (
        lambda x, d, n: _repeated(x, d, 0, n),
        lambda x, d, n: _repeated(x, d, x.shape[d] - 1, n),
    ),
    "circular": (
        lambda x, d, n: x.narrow(d, x.shape[d] - n, n),
        lambda x, d, n: x.narrow(d, 0, n),
    ),
}
"""What stands before and after a dimension, by mode."""


__all__ = ["pad"]
