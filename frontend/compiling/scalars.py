"""Float arguments inside a compiled function: numbers that change from call to call without compiling anew.

They promote like Python floats, and arithmetic among them stays in float64, as in Python. Where Python itself needs to
know the number (`if scale > 0:`, `math.log(scale)`), the trace fails and is repeated with the number as a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ...dialects.hl import elementwise as e
from ...dialects.hl.base import HLOp
from ...dialects.types import TensorSpec, f64
from ...runtime.storage import Storage
from .. import dispatch
from ..modes import modes
from ..tensor import Tensor, wrap

SPEC = TensorSpec((), f64)


class RuntimeNumber(Tensor):
    """Stands for a float argument while its function is traced."""

    _is_number = True

    def __neg__(self) -> RuntimeNumber:
        return number(dispatch.apply(e.NegOp, (self,))[0]._storage)

    def __abs__(self) -> RuntimeNumber:
        return number(dispatch.apply(e.AbsOp, (self,))[0]._storage)

    def __pos__(self) -> RuntimeNumber:
        return self

    def item(self) -> Any:
        """The number that it stands for now, for optimizers, who make their state outside of the trace."""
        known = modes.trace is None and "before" in self.__dict__
        return self.__dict__["before"] if known else cast(Any, Tensor).item(self)


def number(storage: Storage) -> RuntimeNumber:
    """The number that a storage holds."""
    found: RuntimeNumber = wrap(storage, SPEC, None, RuntimeNumber)
    return found


ARITHMETIC: dict[str, type[HLOp]] = {
    "add": e.AddOp,
    "sub": e.SubOp,
    "mul": e.MulOp,
    "truediv": e.DivOp,
    "floordiv": e.FloorDivOp,
    "mod": e.RemainderOp,
    "pow": e.PowOp,
}


def _is_plain(value: Any) -> bool:
    return issubclass(cast(Any, type(value)), (int, float, RuntimeNumber))


def _operand(value: Any) -> Tensor:
    return value if isinstance(value, RuntimeNumber) else dispatch.scalar(float(value), (), f64)


def _method(name: str, op: type[HLOp], swapped: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if hasattr(cast(Any, type(other)), "as_number"):
            other = other.as_number()
        if not _is_plain(other):
            return getattr(Tensor, name)(self, other)
        operands = (_operand(other), self) if swapped else (self, _operand(other))
        return number(dispatch.apply(op, operands)[0]._storage)

    return method


for _name, _op in ARITHMETIC.items():
    setattr(RuntimeNumber, f"__{_name}__", _method(f"__{_name}__", _op, swapped=False))
    setattr(RuntimeNumber, f"__r{_name}__", _method(f"__r{_name}__", _op, swapped=True))
    # Numbers are values: `scale *= 2` makes another one.
    setattr(RuntimeNumber, f"__i{_name}__", getattr(RuntimeNumber, f"__{_name}__"))
