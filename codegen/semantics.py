"""Flags of C compilers without which the generated C would mean something else."""

from __future__ import annotations

SEMANTICS = ("-fwrapv", "-fno-strict-aliasing", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
"""What the C takes for granted: signed overflow wraps, buffers may be seen under several types, multiply-add may be
fused. No -ffast-math: NaN and infinity mean what they mean, and sums keep their order."""
