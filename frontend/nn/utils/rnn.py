"""Sequences of different lengths in one batch: torch.nn.utils.rnn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...creation import from_numpy, tensor
from ...dispatch import needed_array
from ...eager import on_host
from ...errors import located, runtime_error, untraceable
from ...ops.joining import cat, stack
from ...tensor import Tensor


class PackedSequence(NamedTuple):
    """Sequences step by step, the longest first: the first elements of all, then the second ones, and so on."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With the data on another device or of another type."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def mask(self) -> np.ndarray[Any, Any]:
        """[step, sequence]: whether the sequence is that long."""
        sizes: Any = on_host(self.batch_sizes)
        return np.less(np.arange(int(sizes[0]))[None, :], sizes[:, None])


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The given lengths of the sequences in (T, N, ...)."""
    ends = np.asarray(_numbers(lengths), np.int64)
    x = input.transpose(0, 1) if batch_first else input
    if len(ends) != x.shape[1]:
        raise runtime_error(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(ends)} (batch_size={x.shape[1]})"
        )
    if ends.size == 0 or ends.min() <= 0:
        raise runtime_error(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    order = None
    if not enforce_sorted:
        order = np.argsort(-ends, kind="stable")
        ends, x = ends[order], x.index_select(1, tensor(order, device=x.device))
    elif (np.diff(ends) > 0).any():
        raise runtime_error(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement"
        )
    sizes: Any = np.less(np.arange(int(ends[0]))[:, None], ends[None, :]).astype(np.int64).sum(1)
    return _packed(x[: int(ends[0])], sizes, order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of pack_padded_sequence: (T, N, ...) and the lengths."""
    mask = sequence.mask()
    x = padded(sequence, padding_value)
    lengths = mask.sum(0)
    if total_length is not None:
        if total_length < x.shape[0]:
            raise located(
                ValueError,
                f"Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {x.shape[0]}",
            )
        more = x.new_full((total_length - x.shape[0], *x.shape[1:]), padding_value)
        x = cat([x, more], 0) if more.shape[0] else x
    if sequence.unsorted_indices is not None:
        x = x.index_select(1, sequence.unsorted_indices.to(x.device))
        lengths = lengths[on_host(sequence.unsorted_indices)]
    return (x.transpose(0, 1) if batch_first else x), tensor(lengths.astype(np.int64))


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L, ...) of different lengths as one tensor (T, N, ...)."""
    if padding_side not in ("left", "right"):
        raise located(ValueError, f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if not sequences:
        raise located(RuntimeError, "received an empty list of sequences")
    longest = max(s.shape[0] for s in sequences)
    parts: list[Tensor] = []
    for s in sequences:
        more = s.new_full((longest - s.shape[0], *s.shape[1:]), padding_value)
        parts.append(cat([s, more] if padding_side == "right" else [more, s], 0))
    return stack(parts, 0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L, ...) of different lengths, packed."""
    lengths = [s.shape[0] for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The inverse of pad_sequence."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    ends = _numbers(lengths)
    return [x[k, :n] for k, n in enumerate(ends)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of pack_sequence."""
    x, lengths = pad_packed_sequence(packed_sequences)
    return unpad_sequence(x, lengths)


def padded(sequence: PackedSequence, value: float = 0.0) -> Tensor:
    """(T, N, ...) in the packed order of the sequences."""
    mask = sequence.mask()
    places = np.where(mask, np.cumsum(mask.reshape(-1)).reshape(mask.shape) - 1, 0)
    rows = sequence.data.index_select(0, tensor(places.reshape(-1), device=sequence.data.device))
    x = rows.reshape(*mask.shape, *sequence.data.shape[1:])
    if mask.all():
        return x
    return x.masked_fill(tensor(~mask, device=x.device).reshape(*mask.shape, *(1,) * (x.ndim - 2)), value)


def repacked(x: Tensor, like: PackedSequence) -> PackedSequence:
    """(T, N, ...) in the packed order of the sequences of `like`, packed as those are."""
    return like._replace(data=_rows(x, like.mask()))


def _packed(x: Tensor, sizes: np.ndarray[Any, Any], order: np.ndarray[Any, Any] | None) -> PackedSequence:
    mask = np.arange(x.shape[1])[None, :] < sizes[:, None]
    data = _rows(x, mask)
    if order is None:
        return PackedSequence(data, _known(sizes))
    return PackedSequence(data, _known(sizes), _known(order), _known(np.argsort(order, kind="stable")))


def _rows(x: Tensor, mask: np.ndarray[Any, Any]) -> Tensor:
    return x.reshape(-1, *x.shape[2:]).index_select(0, tensor(np.flatnonzero(mask), device=x.device))


def _numbers(lengths: Any) -> list[int]:
    """Lengths as Python numbers: shapes depend on them."""
    if not isinstance(lengths, Tensor):
        return list(lengths)
    array = needed_array(lengths, arguments=True)
    if array is None:
        raise untraceable(
            "packing sequences",
            "pass their lengths to the compiled function as a list, made by lengths.tolist() outside",
        )
    return array.tolist()


def _known(values: np.ndarray[Any, Any]) -> Tensor:
    """Numbers that stay known while a function is traced."""
    return from_numpy(values.astype(np.int64))


__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
