"""The type of decomposition rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ....dialects.hl.base import HLOp

Rule: TypeAlias = Callable[..., tuple[Any, ...]]
"""(builder, *operands, **attributes) -> results."""
DecompositionTable: TypeAlias = dict[type[HLOp], Rule]
