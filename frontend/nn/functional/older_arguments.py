"""`size_average` and `reduce`, which losses took before `reduction`, and still take in the places that they had.

F.mse_loss(x, y, size_average=False)      F.mse_loss(x, y, reduction="sum")
F.nll_loss(x, y, w, None, 0)              F.nll_loss(x, y, w, ignore_index=0)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...errors import type_error

ORDER: dict[str, str] = {
    "binary_cross_entropy": "input target weight size_average reduce reduction",
    "binary_cross_entropy_with_logits": "input target weight size_average reduce reduction pos_weight",
    "cosine_embedding_loss": "input1 input2 target margin size_average reduce reduction",
    "cross_entropy": "input target weight size_average ignore_index reduce reduction label_smoothing",
    "hinge_embedding_loss": "input target margin size_average reduce reduction",
    "kl_div": "input target size_average reduce reduction log_target",
    "l1_loss": "input target size_average reduce reduction weight",
    "margin_ranking_loss": "input1 input2 target margin size_average reduce reduction",
    "mse_loss": "input target size_average reduce reduction weight",
    "multi_margin_loss": "input target p margin weight size_average reduce reduction",
    "multilabel_margin_loss": "input target size_average reduce reduction",
    "multilabel_soft_margin_loss": "input target weight size_average reduce reduction",
    "nll_loss": "input target weight size_average ignore_index reduce reduction",
    "poisson_nll_loss": "input target log_input full size_average eps reduce reduction",
    "smooth_l1_loss": "input target size_average reduce reduction beta",
    "soft_margin_loss": "input target size_average reduce reduction",
    "triplet_margin_loss": "anchor positive negative margin p eps swap size_average reduce reduction",
}
"""The arguments of each loss in PyTorch's order."""


def reduction_of(size_average: Any, reduce: Any, reduction: str) -> str:
    """What the older arguments say; `reduction` where neither is given."""
    for value in (size_average, reduce):
        if isinstance(value, str):
            raise type_error(f"size_average and reduce are bools, not {value!r}: give the reduction by its name")
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        return "none"
    return "mean" if size_average is None or size_average else "sum"


def _taking(function: Callable[..., Any], order: tuple[str, ...]) -> Callable[..., Any]:
    plain = order.index("size_average")

    @wraps(function)
    def taking(*args: Any, **options: Any) -> Any:
        if len(args) <= plain and "size_average" not in options and "reduce" not in options:
            return function(*args, **options)
        if len(args) > len(order):
            raise type_error(f"{function.__name__}() takes at most {len(order)} arguments, got {len(args)}")
        given = {**dict(zip(order, args, strict=False)), **options}
        older = given.pop("size_average", None), given.pop("reduce", None)
        return function(**{**given, "reduction": reduction_of(*older, given.get("reduction", "mean"))})

    return taking


def install(functions: dict[str, Any]) -> None:
    """Lets the losses of a namespace take them."""
    for name, order in ORDER.items():
        functions[name] = _taking(functions[name], tuple(order.split()))


__all__ = ["install", "reduction_of"]
