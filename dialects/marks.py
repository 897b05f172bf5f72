"""Names of the attributes by which levels tell one another what functions and their arguments are."""

from __future__ import annotations

PREFIX = "irtool."

LEVEL_ATTRIBUTE = "irtool.level"
"""On a module: the last stage that it has been through."""
KERNEL_ATTRIBUTE = "irtool.kernel"
"""On a function that is a kernel."""
CHECKS_ATTRIBUTE = "irtool.checks"
"""On a host function: the checks in it, by number."""

RESULT_ATTRIBUTE = "irtool.result"
"""On an argument: the number of the result that is its new value."""
OUT_ATTRIBUTE = "irtool.out"
"""On an argument: the number of the result that is written to it."""
TIED_ATTRIBUTE = "irtool.tied"
"""On an argument of a kernel: the number of the result that shares its memory."""
NUMBERED = (RESULT_ATTRIBUTE, OUT_ATTRIBUTE, TIED_ATTRIBUTE)
"""Marks that name a result."""

ERRORS_ATTRIBUTE = "irtool.errors"
"""On the argument that is the record of errors."""
ARENA_ATTRIBUTE = "irtool.arena"
"""On the argument that holds the intermediates of a host function."""
WORKSPACE_ATTRIBUTE = "irtool.workspace"
"""On the argument that holds the temporaries of kernels."""
SCRATCH_ATTRIBUTES = (ARENA_ATTRIBUTE, WORKSPACE_ATTRIBUTE)
