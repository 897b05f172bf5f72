"""How accurate products of floats on a GPU have to be, which the user decides."""

from __future__ import annotations

allow_tf32 = False
"""Whether products of floats of 32 bits may be of their first 11 bits alone: faster, with errors of some 3e-4. Programs
that are compiled from then on follow it."""
