"""Functions of x[mask] in compiled code (see ops/selection.py): activations, linear maps and losses.

F.mse_loss(x[mask], y[mask])             the losses of all rows, then the mean of those that hold
F.cross_entropy(x[mask], labels[mask])   labels that do not hold become `ignore_index`
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...dispatch import builder, scalar
from ...errors import untraceable
from ...ops.selection import FIX, Selection, accepting, by_rows, elementwise, first_of, on_rows
from ...tensor import Tensor

Rule = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


def _loss(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    given = dict(inspect.signature(function).bind(*args, **options).arguments)
    reduction = given.pop("reduction", "mean")
    first = first_of((), given)
    rows = on_rows(first, function, (), {**given, "reduction": "none"})
    losses: Any = Selection(rows, first.mask, rows.ndim - 1 - first.row)
    if reduction == "none":
        return losses
    if reduction == "batchmean":
        return losses.sum() / first.shape[0]
    return losses.sum() if reduction == "sum" else losses.mean()


def _classification(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    given = dict(inspect.signature(function).bind(*args, **options).arguments)
    scores, target = given["input"], given["target"]
    if type(scores) is not Selection or type(target) is not Selection:
        raise untraceable(f"{function.__name__}() of x[mask] and a tensor", FIX)
    if target.wide.is_floating_point():
        return _loss(function, args, options)
    if scores.row or not scores.same_places(target):
        raise untraceable(f"{function.__name__}() of selections by two masks", FIX)
    ignored = scalar(given.get("ignore_index", -100), *target.wide._spec)
    labels: Tensor = builder.select(target.holds(), target.wide, ignored)
    loss = function(**{**given, "input": scores.filled(), "target": labels})
    return Selection(loss, target.mask, target.behind) if given.get("reduction") == "none" else loss


_ACTIVATIONS = (
    *("celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh"),
    *("leaky_relu", "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid"),
    *("silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold"),
)
_LOSSES = (
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "hinge_embedding_loss"),
    *("huber_loss", "kl_div", "l1_loss", "margin_ranking_loss"),
    *("mse_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss"),
)

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ACTIVATIONS, elementwise),
    **dict.fromkeys(_LOSSES, _loss),
    **dict.fromkeys(("linear", "softmax", "log_softmax", "softmin"), by_rows),
    **dict.fromkeys(("cross_entropy", "nll_loss"), _classification),
}


def install(functions: dict[str, Any]) -> None:
    """Lets the functions of a namespace take selections."""
    for name, rule in RULES.items():
        functions[name] = accepting(functions[name], rule)


__all__ = ["install"]
