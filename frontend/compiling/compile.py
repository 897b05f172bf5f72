"""`irtool.compile`: a function that is traced once for each shape of call, and runs as a program from then on."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from ...dialects.types import DType
from .. import tree
from ..autograd.hooks import hooks_of
from ..devices import device
from ..modes import modes
from ..promotion import get_default_dtype
from ..tensor import Tensor
from .call_trace import Call
from .dynamic import DynamicNumbers
from .evaluation import Stale
from .guards import PLAIN, same
from .inspection import Inspection
from .kinds import is_module
from .reference import REFERENCE
from .symbolic import is_number

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ..nn.module import Module
    from .optimized_module import OptimizedModule
    from .specialize import Specialization

KEPT = 64
"""Programs kept for each function; those unused for longest go first."""

MANY = (16, 64, 256)
"""How many compilations of one function are worth a warning."""


class Compiled(Inspection):
    """A compiled function. Calls with a new key compile; known ones run at once."""

    def __init__(self, function: Callable[..., Any], target: str = "cpu", keep_gradients: bool = False) -> None:
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._target = target
        self._keep_gradients = keep_gradients
        self._programs: dict[Any, list[Specialization]] = {}
        self._recent: list[Specialization] = []
        self._numbers = DynamicNumbers()
        self._arguments: dict[Any, dict[int, Any]] = {}
        """By key: the numbers among the arguments of its first call, except those that have changed since."""
        self._lock = threading.RLock()
        self._reasons: list[str] = []
        self._compilations = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if modes.trace is not None:
            return self._function(*args, **kwargs)
        while True:
            program, leaves, is_new = self._program_for(args, kwargs)
            if program.impure and not is_new:
                return self._function(*args, **kwargs)
            try:
                return program.run(leaves, (args, kwargs), is_new)
            except Stale:
                continue

    def _program_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Specialization, list[Any], bool]:
        """The program for a call, the call's flattened arguments, and whether the program was made of this very call,
        since there was none."""
        if len(kwargs) > 1:
            kwargs = dict(sorted(kwargs.items()))
        leaves: list[Any] = []
        structure = tree.flatten((args, kwargs), leaves)
        key = self._key(structure, leaves)
        known = self._known(key, leaves)
        return (known, leaves, False) if known is not None else self._compile(structure, leaves, key)

    def _known(self, key: Any, leaves: Sequence[Any]) -> Specialization | None:
        for program in self._programs.get(key, ()):
            if not program.mismatch(leaves):
                return program
        return None

    def trace(self, *args: Any, **kwargs: Any) -> ModuleOp:
        """The traced ops of a call with these arguments, which is not made: nothing is compiled, no state changes."""
        leaves: list[Any] = []
        structure = tree.flatten((args, kwargs), leaves)
        made = self._specialize(self._call(structure, leaves), REFERENCE)
        made.undo()
        return made.traced.module

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    @property
    def options(self) -> tuple[str, bool]:
        """The target, and whether gradients that are used up inside are kept."""
        return self._target, self._keep_gradients

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return Compiled(copy.deepcopy(self._function, memo), *self.options)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Compiled, (self._function, *self.options))

    def __repr__(self) -> str:
        count = len(self._recent)
        return f"<compiled {self._name()} for {self._target}: {count} program{'' if count == 1 else 's'}>"

    def _name(self) -> str:
        return getattr(self._function, "__qualname__", repr(self._function))

    # Keys

    def _key(self, structure: Any, leaves: Sequence[Any]) -> Any:
        key: list[Any] = [structure, modes.grad, get_default_dtype()]
        tensors: list[int] = []
        for value in leaves:
            if isinstance(value, Tensor):
                key += (type(value), value._spec, value.requires_grad)
                if value._view is not None and not value._view.contiguous:
                    key.append(value._view.layout[0])
                if value.requires_grad and any(hooks := hooks_of(value)):
                    key.append(hooks)
                tensors.append(id(value))
            else:
                key.append(self._plain_key(value))
        if len(tensors) > 1 and len(set(tensors)) < len(tensors):
            key.append(tuple(map(tensors.index, tensors)))
        return tuple(key)

    def _plain_key(self, value: Any) -> Any:
        kind = cast(Any, type(value))
        if is_number(value):
            return kind  # whose values programs look at themselves
        if kind in PLAIN:
            return (kind, value) if kind is not slice else (kind, value.start, value.stop, value.step)
        if isinstance(value, np.bool_):
            return (kind, value.item())
        if isinstance(value, (DType, device)):
            return (kind, value)
        if isinstance(value, np.ndarray):
            raise TypeError(
                f"{self._name()} was called with a numpy array: a compiled function takes tensors. "
                "Pass irtool.from_numpy(array), which shares its memory"
            )
        return (kind, id(value))

    # Compiling

    def _compile(self, structure: Any, leaves: list[Any], key: Any) -> tuple[Specialization, list[Any], bool]:
        with self._lock:
            known = self._known(key, leaves)  # another thread may have been faster
            if known is not None:
                return known, leaves, False
            call = self._call(structure, leaves, self._dynamic(key, leaves))
            self._reasons = self._why(call)
            for program in self._programs.get(key, ()):
                self._numbers.compare(program.guards)
            made = self._specialize(call)
            self._keep(key, made)
            return made, leaves, True

    def _dynamic(self, key: Any, leaves: Sequence[Any]) -> frozenset[int]:
        """The numbers among the arguments that have changed: constants in their first trace, symbolic ever after."""
        if len(self._arguments) > 4 * KEPT:
            self._arguments.clear()
        numbers = {i: value for i, value in enumerate(leaves) if is_number(value)}
        first = self._arguments.setdefault(key, dict(numbers))
        for i in [i for i, value in first.items() if not same(leaves[i], value)]:
            del first[i]
        return frozenset(numbers).difference(first)

    def _call(self, structure: Any, leaves: Sequence[Any], dynamic: frozenset[int] = frozenset()) -> Call:
        names = self._leaf_names(structure, len(leaves))
        return Call(structure, leaves, names, dynamic, self._numbers)

    def _specialize(self, call: Call, target: str | None = None) -> Specialization:
        from .specialize import Specialization

        return Specialization(self._function, call, self._keep_gradients, target or self._target)

    def _keep(self, key: Any, made: Specialization) -> None:
        self._recent.append(made)
        made.lifetime.end = functools.partial(_forget, weakref.ref(self), key, weakref.ref(made))
        self._compilations += 1
        if self._compilations in MANY:
            reasons = "; ".join(self._reasons)
            warnings.warn(
                f"{self._name()} has been compiled {self._compilations} times, the last time because {reasons}. "
                "Numbers that change from call to call are best passed as floats or tensors",
                stacklevel=5,
            )
        if made.reusable or made.impure:
            self._programs.setdefault(key, []).insert(0, made)
        if len(self._recent) > KEPT:
            oldest = self._recent.pop(0)
            for known, programs in list(self._programs.items()):
                if oldest in programs:
                    programs.remove(oldest)
                if not programs:
                    del self._programs[known]

    def _leaf_names(self, structure: Any, count: int) -> list[str]:
        """What the user calls each flattened argument."""
        _, args, kwargs = structure
        try:
            parameters = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        names: list[str] = []
        for i, child in enumerate(args[1:]):
            name = f"argument{i}"
            if i < len(parameters) and parameters[i].kind is not inspect.Parameter.VAR_POSITIONAL:
                name = parameters[i].name
            elif parameters and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL:
                name = f"{parameters[-1].name}{i - len(parameters) + 1}"
            names += _names_below(name, child)
        for name, child in zip(kwargs[1], kwargs[2:], strict=True):
            names += _names_below(name, child)
        assert len(names) == count
        return names


def _forget(function: weakref.ref[Compiled], key: Any, program: weakref.ref[Specialization]) -> None:
    """Lets go of a program, something of which has died: in whatever thread, and without waiting for any lock."""
    compiled, gone = function(), program()
    if compiled is None or gone is None:
        return
    for programs in (compiled._recent, compiled._programs.get(key, [])):
        with suppress(ValueError):
            programs.remove(gone)
    if not compiled._programs.get(key, True):
        compiled._programs.pop(key, None)
        compiled._arguments.pop(key, None)


def _names_below(name: str, structure: Any) -> list[str]:
    if structure is tree.LEAF:
        return [name]
    kind, *children = structure
    keys: Sequence[Any] = range(len(children))
    if isinstance(children[0] if children else None, tuple) and not issubclass(cast(type, kind), (tuple, list)):
        keys, *children = children
        return [n for key, child in zip(keys, children, strict=True) for n in _names_below(str(key), child)]
    fields = getattr(kind, "_fields", [f"{name}_{key}" for key in keys])
    return [n for field, child in zip(fields, children, strict=True) for n in _names_below(field, child)]


@overload
def compile(
    model: None = None, *, target: str = "cpu", keep_gradients: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Compiled]: ...
@overload
def compile(model: Module, *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> OptimizedModule: ...
@overload
def compile(model: Callable[..., Any], *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> Any: ...
def compile(model: Any = None, *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> Any:
    """Compiles a function, or a module, the first time it is called with arguments of some shape.

    A call that raises leaves tensors, gradients, attributes, containers and random numbers as they were before it, also
    what the function had changed before the exception: an update by `optimizer.step()` is taken back with all the rest,
    where eager code would keep it.
    `keep_gradients` keeps `.grad` of parameters whose gradient the function both makes and uses up in an optimizer.
    torch.compile's own options are accepted: `mode`, `fullgraph`, `dynamic`, `backend` and `options` have no effect,
    `disable` gives the function back as it is.
    """
    unknown = set(options) - {"mode", "fullgraph", "dynamic", "backend", "options", "disable"}
    if unknown:
        raise TypeError(f"compile() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    if model is None:
        return functools.partial(compile, target=target, keep_gradients=keep_gradients, **options)
    if options.get("disable"):
        return model
    if target != REFERENCE:
        from ...runtime.compiler import check_target

        check_target(target)
    if is_module(model):
        from .optimized_module import OptimizedModule

        return OptimizedModule(model, target, keep_gradients)
    if not callable(model):
        raise TypeError(f"compile() takes a function or a module, got {type(model).__name__}")
    if inspect.isgeneratorfunction(model) or inspect.iscoroutinefunction(model):
        raise TypeError(
            f"compile() takes a function that returns its results, and {model.__name__} yields or awaits them"
        )
    return Compiled(model, target, keep_gradients)


__all__ = ["Compiled", "compile"]
