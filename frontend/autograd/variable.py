"""Variable: what tensors were wrapped in before they had gradients of their own."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor, alias


def Variable(data: Any, requires_grad: bool = False) -> Tensor:
    """The tensor itself, or one on the same memory that requires gradients."""
    return alias(data).requires_grad_() if requires_grad else data  # pyright: ignore[reportAttributeAccessIssue]


__all__ = ["Variable"]
