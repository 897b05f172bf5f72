"""The one gate that every operation on tensors passes: eager ones are computed and recorded, traced ones emitted.

apply(op, tensors, attributes)
    view op           -> a tensor over the same storage
    tracing           -> trace.emit, results live in the trace
    otherwise         -> the op's reference meaning on numpy arrays, a node on the tape where gradients are due
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from operator import index
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from xdsl.ir import SSAValue

from ..dialects.hl import HLOp, ShapeError
from ..dialects.hl import autodiff as a
from ..dialects.hl import shape as s
from ..dialects.hl.builder import OpBuilder
from ..dialects.reference import REFERENCE
from ..dialects.types import DType, TensorSpec
from ..runtime.storage import Storage, aligned_empty
from . import tape
from .errors import TYPE_NAMES, located, runtime_error
from .modes import modes

if TYPE_CHECKING:
    from .tensor import Tensor
    from .views import View

NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


# Reading


def array_of(t: Tensor) -> np.ndarray[Any, Any]:
    """The values of an eager tensor, sharing its memory."""
    array = t._storage.array
    if array is None:
        raise t._storage.missing()
    return array if t._view is None else t._view.array(array)


def known_array(t: Tensor) -> np.ndarray[Any, Any] | None:
    """The values of a tensor where they are known: always in eager mode, in a trace what follows from constants."""
    trace = modes.trace
    return array_of(t) if trace is None else trace.known.constant(value_of(trace, t))


def needed_array(t: Tensor, arguments: bool = False) -> np.ndarray[Any, Any] | None:
    """As `known_array`; in a trace also those of buffers, and of arguments of whole numbers where these are asked for,
    on whose numbers the program then relies."""
    trace = modes.trace
    return array_of(t) if trace is None else trace.known.number(trace, value_of(trace, t), arguments)


def value_of(trace: Any, t: Tensor) -> SSAValue:
    """The IR value of a tensor in a trace; recording and differentiability decide whether gradients flow through it."""
    if t._base is not None:
        tape.sync(t)
        return replay(trace, value_of(trace, t._base), t._base._view, t._view)
    if t._requires_grad and t._node is not tape.TRACED and modes.grad:  # made outside: a leaf here
        if t._view is None:
            return trace.read(t._storage, t)
        return trace.leaf_value(t._storage, t, replay(trace, trace.read(t._storage), None, t._view))
    value = replay(trace, trace.read(t._storage), None, t._view)
    return trace.detached(value) if t._detached or (t._requires_grad and not modes.grad) else value


def replay(trace: Any, value: SSAValue, origin: View | None, view: View | None) -> SSAValue:
    """The value of a view, given that of what it is a view of, or of another view on the way."""
    if view is origin or view is None or view.op is None:
        return value
    return _derived(trace, replay(trace, value, origin, view.parent), view.op, view.attributes)


def _derived(trace: Any, value: SSAValue, op: type[HLOp], attributes: Mapping[str, Any]) -> SSAValue:
    """An op on a value, emitted once a trace."""
    memo: dict[Any, SSAValue] = trace.__dict__.setdefault("derived_values", {})
    key = (value, op, *attributes.values())
    found = memo.get(key)
    if found is None:
        found = memo[key] = trace.emit(op, (value,), attributes)[0]
    return found


# Applying

_specs: dict[Any, tuple[TensorSpec, ...]] = {}


def infer(op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    """The op's shape rule, remembered. Raises RuntimeError at the user's line."""
    key = (op, *[t._spec for t in tensors], *attributes.values())
    try:
        return _specs[key]
    except KeyError:
        cacheable = True
    except TypeError:  # an attribute is an array
        cacheable = False
    try:
        specs = op.infer(*[t._spec for t in tensors], **attributes)
    except ShapeError as error:
        _refuse(op, error, tensors)
    for spec in specs:
        for extent in spec.shape:
            index(extent)  # raises TypeError for a float that was given as a number of elements
    if cacheable:
        if len(_specs) > 16384:
            _specs.clear()
        _specs[key] = specs
    return specs


def _refuse(op: type[HLOp], error: ShapeError, tensors: Sequence[Tensor]) -> NoReturn:
    name = op.name.removeprefix("hl.")
    if tensors and str(error).startswith("element type:"):
        given = TYPE_NAMES[tensors[0]._spec.dtype]
        raise located(NotImplementedError, f"\"{name}\" not implemented for '{given}'") from None
    raise runtime_error(f"{name}: {error}") from None


class _Quiet(threading.local):
    """Runs functions without numpy's warnings. A context of its own makes that cheaper than np.errstate does."""

    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


class _QuietGlobally:
    """The same for numpy before 2.0, which keeps the setting by thread instead of by context."""

    @staticmethod
    def run(function: Callable[..., Any], *arrays: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arrays, **attributes)


_quiet = _QuietGlobally() if np.lib.NumpyVersion(np.__version__) < "2.0.0" else _Quiet()


def quietly(function: Callable[..., Any], *arrays: Any, **attributes: Any) -> Any:
    """Calls a function without numpy's warnings."""
    return _quiet.run(function, *arrays, **attributes)


def apply(
    op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any] = NO_ATTRIBUTES
) -> tuple[Tensor, ...]:
    """The results of one op."""
    if op in LAYOUT:
        found = _apply_view(op, tensors[0], attributes)
        if found is not None:
            return (found,)
    if modes.trace is not None:
        return _apply_traced(op, tensors, attributes)
    specs = infer(op, tensors, attributes)
    arrays = [t._storage.array if t._view is None else array_of(t) for t in tensors]
    for array, t in zip(arrays, tensors):
        if array is None:
            raise t._storage.missing()
    out: Any = _quiet.run(REFERENCE[op], *arrays, **attributes)
    if len(specs) != 1:
        results = tuple([wrap(Storage(_own(o, arrays), spec), spec) for o, spec in zip(out, specs)])
    else:
        spec = specs[0]
        if type(out) is not np.ndarray or out.base is not None or not out.flags.c_contiguous:
            out = _own(out, arrays)
        else:
            for array in arrays:
                if array is out:
                    out = out.copy()
                    break
        results = (wrap(Storage(out, spec), spec),)
    if modes.grad:
        tape.record(op, attributes, tensors, results)
    return results


def _own(out: Any, arrays: Sequence[Any]) -> np.ndarray[Any, Any]:
    """A result as a row-major array that shares no memory with the operands."""
    array = np.asarray(out, order="C")
    if any(array is x or (array.base is not None and np.may_share_memory(array, x)) for x in arrays):
        return array.copy()
    return array


def _apply_view(op: type[HLOp], x: Tensor, attributes: Mapping[str, Any]) -> Tensor | None:
    try:
        view = view_of(x._storage.spec, x._view, op, attributes)
    except ShapeError as error:
        _refuse(op, error, (x,))
    if view is None:
        return None
    result = wrap(x._storage, view.spec, view)
    if modes.grad:
        base = result._base = x if x._base is None else x._base
        result._detached = x._detached
        if x._base is not None:
            tape.sync(x)
        result._history = base._history
        if x._requires_grad:
            if modes.trace is None:
                tape.attach(tape.OpNode(op, attributes, (x,), (result,), (tape.edge_of(x),)), (result,))
            else:
                tape.attach(tape.TRACED, (result,))
    else:
        result._detached = x._detached or x.requires_grad
    if modes.trace is not None:
        value_of(modes.trace, result)  # now, so that the op gets this line
    return result


def _apply_traced(op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any]) -> tuple[Tensor, ...]:
    trace = modes.trace
    specs = infer(op, tensors, attributes)
    values = trace.emit(op, [value_of(trace, t) for t in tensors], attributes, specs)
    results = tuple([traced(value, spec) for value, spec in zip(values, specs)])
    if modes.grad and any(t.requires_grad for t in tensors) and op is not a.StopGradientOp:
        tape.attach(tape.TRACED, results)
        trace.versions.save(values[0], tensors, results)
    return results


def check(op: type[HLOp], x: Tensor, attributes: Mapping[str, Any], error: type[Exception], message: str) -> None:
    """Leaves a check of a value that the current trace does not know to each run of the program."""
    if 0 not in x._spec.shape:
        trace = modes.trace
        trace.check(op, value_of(trace, x), attributes, error, message)


def traced(value: SSAValue, spec: TensorSpec) -> Tensor:
    """A new tensor of the current trace."""
    storage = Storage(None, spec)
    modes.trace.write(storage, value)
    return wrap(storage, spec)


# Constants

_constants: dict[Any, tuple[Storage, TensorSpec, View | None]] = {}


def scalar(value: float, shape: tuple[int, ...], dtype: DType) -> Tensor:
    """A Python number as an operand: every element is that number. Not to be written to."""
    if modes.trace is not None:
        if is_symbolic(value):
            return cast(Any, value)._symbols.tensor(value, shape, dtype)
        value = exact(value, dtype)
        return _apply_traced(s.ConstantOp, (), {"value": value, "shape": shape, "dtype": dtype})[0]
    # 0.0 and -0.0 are equal, but not the same.
    key = (value, shape, dtype) if value else (math.copysign(1.0, value), shape, dtype, 0)
    found = _constants.get(key)
    if found is None:
        if len(_constants) > 4096:
            _constants.clear()
        found = _constants[key] = _constant(value, shape, dtype)
    storage, spec, view = found
    return wrap(storage, spec, view)


def is_symbolic(value: Any) -> bool:
    """Whether a number stands for one that changes from call to call (`compiling/symbolic.py`)."""
    return hasattr(cast(Any, type(value)), "_symbols") and value._is_live()


def _constant(value: float, shape: tuple[int, ...], dtype: DType) -> tuple[Storage, TensorSpec, View | None]:
    array = _quiet.run(np.asarray, exact(value, dtype), dtype.numpy)
    array.flags.writeable = False  # it is every such number's
    storage = Storage(array, TensorSpec((), dtype), shared=True)
    if not shape:
        return storage, storage.spec, None
    view = view_of(storage.spec, None, s.BroadcastOp, {"shape": shape, "dimensions": ()})
    assert view is not None
    return storage, view.spec, view


def exact(value: Any, dtype: DType) -> Any:
    """A Python number of the kind that the element type holds; integers wrap."""
    if dtype.kind == "float":
        return float(value)
    return bool(value) if dtype.kind == "bool" else wrapped_int(int(value), dtype)


def wrapped_int(value: int, dtype: DType) -> int:
    """An integer as it is stored in so many bits."""
    bits = 1 << dtype.bits
    value &= bits - 1
    return value - bits if dtype.signed and value >= bits >> 1 else value


class TensorBuilder(OpBuilder["Tensor"]):
    """The vocabulary of hl on tensors: gradient rules and decompositions run on it as they run on IR."""

    def emit(self, op: type[HLOp], operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> tuple[Tensor, ...]:
        special = ALIASES.get(op)
        if special is not None and modes.trace is None:
            return tuple([alias(x) for x in operands])
        if op is s.ConstantOp and not isinstance(attributes["value"], np.ndarray):
            return (scalar(attributes["value"], attributes["shape"], attributes["dtype"]),)
        return apply(op, operands, attributes)

    def spec(self, value: Tensor) -> TensorSpec:
        return value._spec


builder = TensorBuilder()

from .tensor import alias, wrap  # noqa: E402
from .views import LAYOUT, view_of  # noqa: E402

ALIASES: Mapping[type[HLOp], bool] = {a.StopGradientOp: True}

__all__ = [
    "NO_ATTRIBUTES",
    "Storage",
    "TensorBuilder",
    "aligned_empty",
    "apply",
    "array_of",
    "builder",
    "check",
    "is_symbolic",
    "known_array",
    "quietly",
    "scalar",
    "traced",
    "value_of",
]
