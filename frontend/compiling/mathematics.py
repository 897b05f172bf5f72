"""`math` while a function is traced: its functions take run-time numbers as well.

math.sqrt(1 - beta ** step)      the name `math` stands for a copy of the module whose functions know such numbers
from math import exp             the name `exp` for such a function
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from ...dialects.hl import elementwise as e
from ...dialects.hl.base import HLOp
from .. import dispatch
from .counted import Counted
from .guards import Guards
from .scalars import RuntimeNumber, number
from .settle import Substitutes

OPS: dict[str, type[HLOp]] = {
    "acos": e.AcosOp,
    "asin": e.AsinOp,
    "atan": e.AtanOp,
    "cos": e.CosOp,
    "cosh": e.CoshOp,
    "erf": e.ErfOp,
    "exp": e.ExpOp,
    "expm1": e.Expm1Op,
    "fabs": e.AbsOp,
    "log": e.LogOp,
    "log1p": e.Log1POp,
    "sin": e.SinOp,
    "sinh": e.SinhOp,
    "sqrt": e.SqrtOp,
    "tan": e.TanOp,
    "tanh": e.TanhOp,
}


def _accepting(name: str, op: type[HLOp]) -> Callable[..., Any]:
    plain: Callable[..., Any] = getattr(math, name)

    @wraps(plain)
    def function(x: Any, /, *rest: Any) -> Any:
        if type(x) is Counted:
            x = x.as_number()
        if type(x) is not RuntimeNumber or rest:
            return plain(x, *rest)
        return number(dispatch.apply(op, (x,))[0]._storage)

    return function


FUNCTIONS = {name: _accepting(name, op) for name, op in OPS.items()}
MODULE = ModuleType("math", math.__doc__)
vars(MODULE).update({**vars(math), **FUNCTIONS})

_STAND_INS: dict[int, Any] = {id(math): MODULE, **{id(getattr(math, name)): new for name, new in FUNCTIONS.items()}}


def put_mathematics(guards: Guards, substitutes: Substitutes) -> None:
    """Puts stand-ins where the function names `math`, or a function of it."""
    substitutes.put_stand_ins(guards, _STAND_INS)


__all__ = ["put_mathematics"]
