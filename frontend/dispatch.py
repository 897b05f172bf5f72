"""The one gate that every operation on tensors passes: eager ones are computed and recorded, traced ones emitted.

apply(op, tensors, attributes)
    view op           -> a tensor over the same storage
    tracing           -> trace.emit, results live in the trace
    otherwise         -> computed by the eager backend (`eager.py`), a node on the tape where gradients are due
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import index
from types import MappingProxyType
from typing import Any, NoReturn, cast

import numpy as np
from xdsl.ir import BlockArgument, SSAValue

from ..dialects.hl import HLOp, ShapeError
from ..dialects.hl import autodiff as a
from ..dialects.hl import shape as s
from ..dialects.hl.builder import OpBuilder
from ..dialects.types import DType, TensorSpec
from ..runtime.storage import Storage, SymbolicStorage
from . import eager, tape
from .devices import CPU, common_device, device, use
from .eager import on_host
from .errors import TYPE_NAMES, located, runtime_error
from .layout import LAYOUT, View, view_of
from .modes import modes
from .node import TRACED
from .tensor import Tensor, alias, sync, wrap

NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


# Reading


def known_array(t: Tensor) -> np.ndarray[Any, Any] | None:
    """The values of a tensor where they are known: always in eager mode, in a trace what follows from constants."""
    trace = modes.trace
    return on_host(t) if trace is None else trace.known.constant(value_of(trace, t))


def needed_array(t: Tensor, arguments: bool = False) -> np.ndarray[Any, Any] | None:
    """As `known_array`; in a trace also those of buffers, and of arguments of whole numbers where these are asked for,
    on whose numbers the program then relies."""
    trace = modes.trace
    return on_host(t) if trace is None else trace.known.number(trace, value_of(trace, t), arguments)


def value_of(trace: Any, t: Tensor) -> SSAValue:
    """The IR value of a tensor in a trace; recording and differentiability decide whether gradients flow through it."""
    if t._base is not None and t._base._storage is t._storage:  # unless `t._base.data` was assigned
        sync(t)
        return trace.views.value(trace, t)
    if t in trace.histories and modes.grad:
        return trace.histories.value(trace, t)
    if t._requires_grad and t._node is not TRACED and modes.grad:  # made outside: a leaf here
        if t._view is None:
            return trace.read(t._storage, t)
        return trace.leaf_value(t._storage, t, replay_value(trace, trace.read(t._storage), None, t._view))
    held = trace.read(t._storage)
    value = replay_value(trace, held, None, t._view)
    if t._requires_grad:
        apart = not modes.grad
    else:  # what it shares its memory with may be a leaf
        apart = type(held) is BlockArgument and t._storage in trace.known.learned
    return trace.detached(value) if t._detached or apart else value


def replay_value(trace: Any, value: SSAValue, origin: View | None, view: View | None) -> SSAValue:
    """The value of a view, given that of what it is a view of, or of another view on the way."""
    if view is origin or view is None or view.op is None:
        return value
    return derived(trace, replay_value(trace, value, origin, view.parent), view.op, view.attributes)


def derived(trace: Any, value: SSAValue, op: type[HLOp], attributes: Mapping[str, Any]) -> SSAValue:
    """An op on a value, emitted once a trace."""
    key = (value, op, *attributes.values())
    found = trace.derived.get(key)
    if found is None:
        found = trace.derived[key] = trace.emit(op, (value,), attributes)[0]
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


def apply(
    op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any] = NO_ATTRIBUTES
) -> tuple[Tensor, ...]:
    """The results of one op."""
    if attributes and modes.trace is not None:
        attributes = {name: plain(value) for name, value in attributes.items()}
    if op in LAYOUT:
        found = _apply_view(op, tensors[0], attributes)
        if found is not None:
            return (found,)
    if modes.trace is not None:
        return _apply_traced(op, tensors, attributes)
    specs = infer(op, tensors, attributes)
    results = eager.run(op, tensors, attributes, specs)
    if modes.grad:
        tape.record(op, attributes, tensors, results)
    return results


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
            sync(x)
        result._history = base._history
        if x._requires_grad:
            if modes.trace is None:
                tape.attach(tape.OpNode(op, attributes, (x,), (result,), (tape.edge_of(x),)), (result,))
            else:
                tape.attach(TRACED, (result,))
    else:
        result._detached = x._detached or x.requires_grad
    if modes.trace is not None:  # now, so that the op gets this line
        if result._base is not None:
            modes.trace.views.new(modes.trace, result, x)
        else:
            value_of(modes.trace, result)
    return result


def replay(x: Tensor, origin: View | None, view: View | None) -> Tensor:
    """The steps of a chain that lie beyond `origin`, applied to a tensor of the spec of `origin`."""
    if view is origin or view is None or view.op is None:
        return x
    return apply(view.op, (replay(x, origin, view.parent),), view.attributes)[0]


Tensor._replayed = replay  # pyright: ignore[reportAttributeAccessIssue]


def _apply_traced(op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any]) -> tuple[Tensor, ...]:
    trace = modes.trace
    specs = infer(op, tensors, attributes)
    where = CPU
    if use.elsewhere:
        where = common_device([t for t in tensors if t._storage not in trace.of_any_device] or tensors[:1])
        if where is not CPU:
            trace.device = where
    values = trace.emit(op, [value_of(trace, t) for t in tensors], attributes, specs)
    results = tuple([traced(value, spec, where) for value, spec in zip(values, specs)])
    if modes.grad and any(t.requires_grad for t in tensors) and op is not a.StopGradientOp:
        tape.attach(TRACED, results)
        trace.versions.save(values[0], tensors, results)
    return results


def check(
    op: type[HLOp],
    x: Tensor,
    attributes: Mapping[str, Any],
    error: type[Exception],
    message: str,
    condition: bool = False,
) -> None:
    """Leaves a check of a value that the current trace does not know to each run of the program. `condition`: the
    value says where something holds, and is not what the user would know."""
    if 0 not in x._spec.shape:
        trace = modes.trace
        trace.check(op, value_of(trace, x), attributes, error, message, condition)


def traced(value: SSAValue, spec: TensorSpec, where: device | None = None) -> Tensor:
    """A new tensor of the current trace: on a device that it is known to be on, or where others of the trace are."""
    storage = SymbolicStorage(spec, where or modes.trace.device)
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
        number = _apply_traced(s.ConstantOp, (), {"value": value, "shape": plain(shape), "dtype": dtype})[0]
        modes.trace.of_any_device.add(number._storage)
        return number
    # 0.0 and -0.0 are equal, but not the same.
    where = modes.device if use.elsewhere else None
    key = (value, shape, dtype, where) if value else (math.copysign(1.0, value), shape, dtype, where, 0)
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


def plain(value: Any) -> Any:
    """What stands in the attribute of an op: the numbers themselves, which outlive the trace that asked for them."""
    if type(value) is tuple:
        return tuple(map(plain, cast("tuple[Any, ...]", value)))
    if is_symbolic(value):
        return index(value) if isinstance(value, int) else float(value)
    return value


def _constant(value: float, shape: tuple[int, ...], dtype: DType) -> tuple[Storage, TensorSpec, View | None]:
    storage = eager.constant(exact(value, dtype), TensorSpec((), dtype))
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

ALIASES: Mapping[type[HLOp], bool] = {a.StopGradientOp: True}

__all__ = [
    "NO_ATTRIBUTES",
    "TensorBuilder",
    "apply",
    "builder",
    "check",
    "derived",
    "is_symbolic",
    "known_array",
    "replay",
    "replay_value",
    "scalar",
    "traced",
    "value_of",
]
