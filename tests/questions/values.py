"""Sequences of values that rows are called with, in order."""

from __future__ import annotations

from typing import Any

import numpy as np

inf, nan = float("inf"), float("nan")

SEQUENCES: dict[str, tuple[Any, ...]] = {
    "agree": (0.5, 0.7, -0.5, 1.5, 2.0, 0.5),
    "longer": (0.5, 0.25, 0.75, 0.1, 0.9, -0.9, 1.1, 2.5, 3.0, 0.0),
    "fractions": (0.5, 0.7, 0.9, 1.25, -2.5, 100.125, 1e-3, 0.9),
    "rates": (0.1, 0.05, 0.025, 0.0125, 0.1, 1e-6, 0.0, 1.0),
    "special": (0.5, 0.7, nan, inf, -inf, -0.0, 0.0, 1.0, nan),
    "zeros": (1.0, 2.0, 0.0, -0.0, 0.0, -1.0),
    "extremes": (1.0, 1e300, 5e-324, -1e300, 1e308, 1e16, 2.0**53, 1e-300),
    "whole": (1.0, 2.0, 3.0, 4.0, 0.0, -1.0, 7.0, 1.5),
    "counts": (0, 1, 2, 3, 4, 5, 6),
    "later": (1, 2, 3, 10, 11, 100, 1000, 3),
    "signed": (1, 2, -1, -2, 0, 3, -7, 5),
    "huge": (1, 2, 10**9, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(2**70), 3),
    "bools": (True, False, True, True),
    "mixed": (0.5, 1, True, 1.0, 0, False, 0.0, 2, 2.0, 0.5),
    "kinds": (1, 2, 0.5, 0.7, 3, 1.5, 4, True),
    "optional": (0.5, None, 0.7, None, 1, 2),
    "strings": (0.5, 0.7, "mean", "sum", 1, "mean"),
    "numpy": (np.float64(0.5), np.float64(0.7), np.float32(0.5), np.float32(1.5), np.int64(3), np.int64(4), 0.5, 2),
    "back": (0.5, 0.7, 0.5, 0.9, 0.7, 0.5, 0.9),
    "complex": (0.5, 0.7, 1j, 0.5 + 0j),
}

SIZES = tuple(name for name in SEQUENCES if name not in ("huge", "extremes", "later"))
"""For rows that make something as large as the number says: `sizes` in their tables."""
