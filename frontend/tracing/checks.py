"""What a program checks each time that it runs, and what is raised where a check fails.

x[i]          %1 = hl.check_range %i, %errors from -10 to 10 number 1 {…}      `errors` is state of the program
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...dialects.hl.base import HLOp
from ...dialects.hl.check import RECORD, CheckRangeOp
from .. import eager
from ..devices import CPU


@dataclass(frozen=True)
class RecordedCheck:
    """One check: what it raises, and where in the user's code."""

    error: type[Exception]
    message: str
    where: str
    expected: str | None
    """What the element should have been, in words; None for a condition, which does not hold."""
    shape: tuple[int, ...]
    """The shape of what is checked."""

    def raised(self, position: int, value: int, changed: bool) -> Exception:
        """The exception for the element at a position. `changed`: whether state may have been updated before."""
        message = self.message.format(value=value)
        error = self.error(f"{message} (at {self.where})" if self.where else message)
        place = [int(k) for k in np.unravel_index(position, self.shape)] if self.shape else []
        state = "may have been updated" if changed else "are as before the call"
        found = "refused" if self.expected is None else f"{value}, expected {self.expected}"
        error.add_note(
            f"in compiled code: element {place} of a {list(self.shape)} tensor is {found}; "
            f"parameters and other state {state}"
        )
        return error


def expected_by(op: type[HLOp], attributes: Mapping[str, Any]) -> str:
    """What a check lets pass, in words."""
    if op is not CheckRangeOp:
        return "another number than 0"
    allowed = attributes.get("allowed")
    return f"{attributes['low']} <= value < {attributes['high']}" + ("" if allowed is None else f" or {allowed}")


class Checks:
    """The checks of one trace, and the memory that a failure is recorded in."""

    def __init__(self) -> None:
        self.record = eager.filled(RECORD, 0, CPU)
        self.made: list[RecordedCheck] = []

    def new(self, check: RecordedCheck) -> int:
        """The number of a further check."""
        self.made.append(check)
        return len(self.made)
