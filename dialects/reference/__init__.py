"""What every hl op means, in numpy, with PyTorch's semantics: one table a family.

Eager execution computes with these, and every compiled kernel is tested against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ..hl.autodiff import GradientOp
from ..hl.base import HLOp
from . import (
    attention,
    autodiff,
    check,
    composite,
    contraction,
    elementwise,
    indexing,
    random,
    reduction,
    sequence,
    shape,
    window,
)
from .table import Array, Table

REFERENCE: Table = {
    **elementwise.TABLE,
    **shape.TABLE,
    **reduction.TABLE,
    **contraction.TABLE,
    **window.TABLE,
    **sequence.TABLE,
    **indexing.TABLE,
    **check.TABLE,
    **random.TABLE,
    **composite.TABLE,
    **attention.TABLE,
    **autodiff.TABLE,
}

NO_REFERENCE: dict[type[HLOp], str] = {GradientOp: "stands for ops that `differentiate` puts in its place"}
"""Why an op has no meaning of its own."""


def evaluate(op: type[HLOp], arrays: Sequence[Array], attributes: Mapping[str, Any]) -> tuple[Array, ...]:
    """The results of one op, whose rule the operands keep. They may be views of the operands.

    Division by zero, overflow and invalid arguments give what IEEE 754 says (integers: what the op says), silently.
    """
    with np.errstate(all="ignore"):
        result = REFERENCE[op](*arrays, **attributes)
    if type(result) is np.ndarray:
        return (result,)
    if type(result) is tuple:
        return cast("tuple[Array, ...]", result)
    return (np.asarray(result),)


__all__ = ["NO_REFERENCE", "REFERENCE", "Array", "evaluate"]
