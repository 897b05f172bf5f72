"""A count of the changes that compiled programs do not look for on every call.

Most of what a step reads hangs below modules: hundreds of attributes and tensors that hardly ever change. All that
changes a module, `requires_grad` or the storage of a tensor says so here, and only then guards look at them again.
"""

from __future__ import annotations

count: int = 0


def bump() -> None:
    """Says that a module, or a property of a tensor that programs rely on, has changed."""
    global count
    count += 1
