"""Connectionist temporal classification: the loss of label sequences that are not aligned with their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.types import i64
from ...creation import tensor
from ...errors import located, runtime_error
from ...modes import modes
from ...ops.checks import check_range
from ...ops.control import scan
from ...ops.joining import stack
from ...ranges import arange
from ...tensor import Tensor
from .padding import pad

IMPOSSIBLE = -1e30
"""The logarithm of 0 that can be calculated with."""
Lengths = Tensor | Sequence[int]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of label sequences, over all alignments, from log_probs (T, N, C) or (T, C).

    Targets are (N, S), or all of them one after the other, for which compiled code should get `target_lengths` as
    numbers: a tensor does not tell the longest. The mean divides each loss by its target's length.
    """
    if reduction not in ("none", "mean", "sum"):
        raise located(ValueError, f"{reduction} is not a valid value for reduction")
    single = log_probs.ndim == 2
    if not single and log_probs.ndim != 3:
        raise runtime_error(f"Expected log_probs to have 2 or 3 dimensions, but got {log_probs.ndim}")
    if not 1 <= targets.ndim <= 2:
        raise runtime_error(f"Expected targets to have 1 or 2 dimensions, but got {targets.ndim}")
    x = log_probs.unsqueeze(1) if single else log_probs
    steps, batch, classes = x.shape
    if not 0 <= blank < classes:
        raise runtime_error("blank must be in label range")
    inputs, labels = _lengths(input_lengths, batch, "input_lengths"), _lengths(target_lengths, batch, "target_lengths")
    padded = (
        targets.reshape(1, -1) if single else targets if targets.ndim == 2 else _split(targets, labels, target_lengths)
    )
    _check_lengths("input_lengths", inputs, steps)
    if not single and targets.ndim == 1:
        longest = f"Expected tensor to have size {{value}} at dimension 0, but got size {targets.shape[0]} for targets"
        check_range(labels.sum(), targets.shape[0], targets.shape[0] + 1, RuntimeError, longest)
    _check_lengths("target_lengths", labels, padded.shape[1])
    padded = padded.to(i64)
    # Labels that no length includes are not looked at.
    used = arange(padded.shape[1]).lt(labels.unsqueeze(1))
    check_range(padded.where(used, 0), 0, classes, RuntimeError, "label {value} is not in the range of the classes")
    loss = _losses(x, padded, inputs, labels, blank, steps)
    impossible = loss > -IMPOSSIBLE / 2
    loss = loss.masked_fill(impossible, 0.0 if zero_infinity else float("inf"))
    if reduction == "mean":
        return (loss / labels.clamp(min=1).to(loss.dtype)).mean()
    return loss.sum() if reduction == "sum" else loss.squeeze(0) if single else loss


def _losses(x: Tensor, targets: Tensor, inputs: Tensor, labels: Tensor, blank: int, steps: int) -> Tensor:
    """The forward algorithm over labels with blanks around and between them."""
    batch, longest = targets.shape
    spaced = stack([targets * 0 + blank, targets], 2).reshape(batch, 2 * longest)
    spaced = pad(spaced, (0, 1), value=blank)
    scores = x.gather(2, spaced.clamp(0, x.shape[2] - 1).unsqueeze(0).expand(steps, *spaced.shape))
    # A path may leave out the blank between two labels that differ.
    skips = pad(spaced[:, 2:].ne(spaced[:, :-2]), (2, 0), value=False)
    first = scores[0].masked_fill(arange(2 * longest + 1) > 1, IMPOSSIBLE)

    def body(
        carried: Sequence[Tensor], slices: Sequence[Tensor], fixed: Sequence[Tensor]
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        (stay,), (score, running) = carried, slices
        by_one = pad(stay, (1, -1), value=IMPOSSIBLE)
        by_two = pad(stay, (2, -2), value=IMPOSSIBLE).where(fixed[0], IMPOSSIBLE)
        largest = stay.maximum(by_one).maximum(by_two).detach()
        total = ((stay - largest).exp() + (by_one - largest).exp() + (by_two - largest).exp()).log()
        return [(largest + total + score).clamp(min=IMPOSSIBLE).where(running, stay)], []

    running = (arange(steps).reshape(-1, 1, 1) < inputs.reshape(1, -1, 1))[1:]
    (last,), _ = scan(body, [first], [scores[1:], running], [skips]) if steps > 1 else ([first], [])
    ends = labels.reshape(-1, 1) * 2
    whole, short = last.gather(1, ends), last.gather(1, (ends - 1).clamp(min=0)).masked_fill(ends == 0, IMPOSSIBLE)
    largest = whole.maximum(short).detach()
    return -(largest + ((whole - largest).exp() + (short - largest).exp()).log()).squeeze(1)


def _check_lengths(name: str, lengths: Tensor, most: int) -> None:
    message = f"Expected {name} to have value at least 0 and at most {most}, but got value {{value}}"
    check_range(lengths, 0, most + 1, RuntimeError, message)


def _lengths(given: Any, batch: int, name: str) -> Tensor:
    lengths = (given if isinstance(given, Tensor) else tensor(given)).reshape(-1).to(i64)
    if lengths.shape[0] != batch:
        raise runtime_error(f"{name} must be of size batch_size")
    return lengths


def _split(targets: Tensor, labels: Tensor, lengths: Lengths) -> Tensor:
    """Targets one after the other as rows; of all their length where the longest is not known yet."""
    known = not isinstance(lengths, Tensor) or modes.trace is None
    longest = max(_numbers(lengths), default=0) if known else targets.shape[0]
    starts = labels.cumsum(0) - labels
    index = (starts.unsqueeze(1) + arange(longest)).clamp(max=max(targets.shape[0] - 1, 0))
    return targets[index]


def _numbers(lengths: Any) -> list[int]:
    return lengths.reshape(-1).tolist() if isinstance(lengths, Tensor) else [int(n) for n in lengths]


__all__ = ["ctc_loss"]
