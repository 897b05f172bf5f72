"""What a table of meanings is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..hl.base import HLOp

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Meaning: TypeAlias = "Callable[..., Any]"
"""Operand arrays, then attributes by name -> the result, or a tuple of several."""
Table: TypeAlias = "dict[type[HLOp], Meaning]"
