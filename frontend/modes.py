"""What each Python thread is at: whether it records operations for gradients, and which function it is tracing."""

from __future__ import annotations

import threading
from typing import Any


class Modes(threading.local):
    """Read on every operation. A new thread records, and traces nothing."""

    grad: bool = True
    """Whether operations are recorded; only `grad_mode` writes it."""
    trace: Any = None
    """The `tracing.Trace` in progress, or None; only `tracing` writes it."""
    fields: Any = None
    """Of tensors that this thread alone sees changed; only `tracing.own_fields` writes it."""
    device: Any = None
    """Where new tensors go, None for the CPU: in the library's own functions, where their operands are. Only `devices`
    writes it."""
    default_device: Any = None
    """Where they go in the user's code."""


modes = Modes()

__all__ = ["modes"]
