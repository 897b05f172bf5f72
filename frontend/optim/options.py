"""An optimizer's options by declaration: the arguments of its `__init__`, which says nothing else.

    class Adadelta(Optimizer):
        @options("lr rho eps weight_decay", ignored="capturable foreach differentiable")
        def __init__(self, params: Params, lr: float | Tensor = 1.0, rho: float = 0.9, ..., **ignored: Any) -> None: ...

stands for an `__init__` that checks the range of the options named first, in that order, and then makes groups whose
defaults are all of its arguments and what it takes and ignores. What its body checks comes in between; `__post_init__`
is called at the end, as that of a dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar, cast

from ..errors import runtime_error
from .optimizer import Optimizer

F = TypeVar("F", bound=Callable[..., None])

IGNORED: Mapping[str, Any] = {"foreach": None, "fused": None, "capturable": False, "differentiable": False}
"""Options of PyTorch that say how to run, which is not for an optimizer to say here; kept in the groups."""
WORDS: Mapping[str, str] = {"lr": "learning rate", "eps": "epsilon value"}
"""What messages call an option that is not `NAME value` there."""


def options(checked: str, ignored: str = "", **fixed: Any) -> Callable[[F], F]:
    """Derives an optimizer's `__init__` from its arguments. `fixed`: options that are no arguments."""

    def declare(init: F) -> F:
        declared = signature(init)
        rest = [p.name for p in declared.parameters.values() if p.kind is Parameter.VAR_KEYWORD]

        @wraps(init)
        def __init__(self: Optimizer, *args: Any, **kwargs: Any) -> None:
            try:
                bound = declared.bind(self, *args, **kwargs)
            except TypeError:
                init(self, *args, **kwargs)  # which says so in Python's words
                raise
            bound.apply_defaults()
            _, (_, params), *given = bound.arguments.items()
            values = {name: value for name, value in given if name not in rest}
            for name in checked.split():
                _check(name, values[name])
            init(self, *args, **kwargs)
            unused = _unused(bound.arguments[rest[0]] if rest else {}, ignored.split())
            Optimizer.__init__(self, params, {**values, **fixed, **unused})
            if hasattr(self, "__post_init__"):
                cast(Any, self).__post_init__()

        return cast(F, __init__)

    return declare


def check_range(name: str, value: Any, valid: bool) -> None:
    """Raises ValueError in PyTorch's words."""
    if not valid:
        raise ValueError(f"Invalid {name}: {value}")


def _check(name: str, value: Any) -> None:
    """Averages keep some part of what they were; other options are not negative."""
    if name == "betas":
        for k in (0, 1):
            check_range(f"beta parameter at index {k}", value[k], 0.0 <= value[k] < 1.0)
    elif name == "rho":
        check_range("rho value", value, 0.0 <= value <= 1.0)
    else:
        check_range(WORDS.get(name, f"{name} value"), value, bool(value >= 0.0))


def _unused(given: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The options that are taken, and that nothing is done with."""
    for name in given:
        if name not in names:
            raise TypeError(f"unexpected keyword argument '{name}'")
    if given.get("fused") and given.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if given.get("differentiable"):
        raise runtime_error(
            "differentiable=True is not supported: compute new weights with autograd.grad(..., create_graph=True), and "
            "call the module with them by func.functional_call"
        )
    return {name: given.get(name, IGNORED[name]) for name in names}


__all__ = ["check_range", "options"]
