"""A compiled function: it is traced once for each shape of call, and runs as a program from then on."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...dialects.types import DType
from .. import tree
from ..autograd.hooks import hooks_of
from ..devices import device
from ..modes import modes
from ..promotion import get_default_dtype
from ..tensor import Tensor
from .call_arguments import CallArguments
from .changed_numbers import DynamicNumbers
from .forsaken import forsaken
from .guards import PLAIN, same
from .inspection import Found, Inspection
from .launch import Gone
from .specialize import Specialization
from .symbolic import is_number
from .uncompiled import Impure, Uncompiled

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp


KEPT = 64
"""Programs kept for each function; those unused for longest go first."""

NO_NAMES = (dict, ())
"""The structure of no arguments by name."""

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
        self._vacant: dict[Any, list[Specialization]] = {}
        """Programs whose tensors have died, and none of which has a copy: for other tensors."""
        self._recent: list[Specialization] = []
        self._numbers = DynamicNumbers()
        self._uncompiled = Uncompiled()
        self._arguments: dict[Any, dict[int, Any]] = {}
        """By key: the numbers among the arguments of its first call, except those that have changed since."""
        self._lock = threading.RLock()
        self._reasons: list[str] = []
        self._compilations = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if modes.trace is not None:
            return self._function(*args, **kwargs)
        while True:
            program, leaves, _ = self._program_for(args, kwargs)
            if program is None:
                return self._function(*args, **kwargs)
            try:
                return program.run(leaves, (args, kwargs))
            except Gone:
                continue

    def _program_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Found:
        """The program for a call, made of this very call if there is none yet; none where it is to run uncompiled."""
        if len(kwargs) > 1:
            kwargs = dict(sorted(kwargs.items()))
        leaves: list[Any] = []
        structure = (tuple, tree.flatten(args, leaves), tree.flatten(kwargs, leaves) if kwargs else NO_NAMES)
        key = self._key(structure, leaves)
        return self._known(key, leaves) or self._compile(structure, leaves, key)

    def _known(self, key: Any, leaves: Sequence[Any]) -> Found | None:
        for program in self._programs.get(key, ()):
            found = program.matching.leaves(leaves)
            if found is not None:
                return program, found, False
        return None

    def trace(self, *args: Any, **kwargs: Any) -> ModuleOp:
        """The traced ops of a call with these arguments, which is not made: nothing is compiled, no state changes."""
        leaves: list[Any] = []
        structure = tree.flatten((args, kwargs), leaves)
        try:
            made = self._specialize(self._call(structure, leaves), "reference")
        except Impure as found:
            raise found.error(self._name()) from None
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
            if issubclass(type(value), Tensor):
                key += (type(value), value._spec, value.requires_grad)
                if value._view is not None and not value._view.is_row_major:
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
        kind = tree.kind_of(value)
        if is_number(value):
            return kind  # whose values programs look at themselves
        if kind in PLAIN:
            return (kind, value) if kind is not slice else (kind, value.start, value.stop, value.step)
        if issubclass(kind, np.bool_):
            return (kind, value.item())
        if issubclass(kind, (DType, device)):
            return (kind, value)
        if issubclass(kind, np.ndarray):
            raise TypeError(
                f"{self._name()} was called with a numpy array: a compiled function takes tensors. "
                "Pass irtool.from_numpy(array), which shares its memory"
            )
        return (kind, id(value))

    # Compiling

    def _compile(self, structure: Any, leaves: list[Any], key: Any) -> Found:
        with self._lock:
            known = self._known(key, leaves) or self._rebound(key, leaves)  # another thread may have been faster
            if known is not None:
                return known
            if self._uncompiled.is_next(key):
                return None, leaves, False
            call = self._call(structure, leaves, self._dynamic(key, leaves))
            self._reasons = self._why(call)
            for program in self._of(key):
                self._numbers.compare(program.guards)
            try:
                made = self._specialize(call)
            except Impure as found:
                self._uncompiled.add(key, found, getattr(self._function, "__name__", "a function"))
                found.let_go()
                return None, leaves, False
            self._keep(key, made)
            for program in forsaken(self._programs.get(key, ()), (*self._recent, *self._of(key))):
                self._drop(program)
            return made, made.matching.traced(leaves), True

    def _of(self, key: Any) -> list[Specialization]:
        """All programs of a key."""
        return [*self._programs.get(key, ()), *self._vacant.get(key, ())]

    def _rebound(self, key: Any, leaves: Sequence[Any]) -> Found | None:
        """A known program, for tensors that have been replaced since."""
        for program in self._of(key):
            made = program.rebound(leaves)
            found = None if made is None else made.matching.leaves(leaves)
            if made is not None and found is not None:
                self._watch(key, made)
                self._insert(key, made)
                with suppress(ValueError):
                    self._vacant.get(key, []).remove(program)
                if program.keeps_for_nothing():
                    self._drop(program)
                return made, found, False
        return None

    def _dynamic(self, key: Any, leaves: Sequence[Any]) -> frozenset[int]:
        """The numbers among the arguments that have changed: constants in their first trace, symbolic ever after."""
        if len(self._arguments) > 4 * KEPT:
            self._arguments.clear()
        numbers = {i: value for i, value in enumerate(leaves) if is_number(value)}
        first = self._arguments.setdefault(key, dict(numbers))
        for i in [i for i, value in first.items() if not same(leaves[i], value)]:
            del first[i]
        return frozenset(numbers).difference(first)

    def _call(self, structure: Any, leaves: Sequence[Any], dynamic: frozenset[int] = frozenset()) -> CallArguments:
        names = self._leaf_names(structure, len(leaves))
        return CallArguments(structure, leaves, names, dynamic, self._numbers)

    def _specialize(self, call: CallArguments, target: str | None = None) -> Specialization:
        return Specialization(self._function, call, self._keep_gradients, target or self._target)

    def _keep(self, key: Any, made: Specialization) -> None:
        self._watch(key, made)
        self._compilations += 1
        if self._compilations in MANY:
            reasons = "; ".join(self._reasons)
            warnings.warn(
                f"{self._name()} has been compiled {self._compilations} times, the last time because {reasons}. "
                "Numbers that change from call to call are best passed as floats or tensors",
                stacklevel=5,
            )
        self._insert(key, made)

    def _watch(self, key: Any, made: Specialization) -> None:
        made.lifetime.end = functools.partial(_forget, weakref.ref(self), key, weakref.ref(made))

    def _insert(self, key: Any, made: Specialization) -> None:
        self._recent.append(made)
        if made.reusable:
            self._programs.setdefault(key, []).insert(0, made)
        if len(self._recent) > KEPT:
            self._drop(self._recent[0])

    def _drop(self, program: Specialization) -> None:
        with suppress(ValueError):
            self._recent.remove(program)
        for known in [*self._programs]:
            programs = self._programs.get(known, [])
            with suppress(ValueError):
                programs.remove(program)
            if not programs:
                self._programs.pop(known, None)

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


def _forget(function: weakref.ref[Compiled], key: Any, program: weakref.ref[Specialization], reference: Any) -> None:
    """Lets go of a program, something of which has died: in whatever thread, and without waiting for any lock."""
    compiled, gone = function(), program()
    if compiled is None or gone is None:
        return
    for programs in (compiled._recent, compiled._programs.get(key, []), compiled._vacant.get(key, [])):
        with suppress(ValueError):
            programs.remove(gone)
    others = compiled._of(key)
    if gone.lose(reference) and all(other.program is not gone.program for other in others):
        compiled._vacant.setdefault(key, []).append(gone)
        if len(compiled._vacant) > KEPT:
            compiled._vacant.pop(next(iter(compiled._vacant)), None)
    for table in (compiled._programs, compiled._vacant):
        if not table.get(key, True):
            table.pop(key, None)
    if not compiled._of(key):
        compiled._arguments.pop(key, None)


def _names_below(name: str, structure: Any) -> list[str]:
    if structure is tree.LEAF:
        return [name]
    kind, *children = structure
    keys: Sequence[Any] = range(len(children))
    if isinstance(kind, tree.Instance):
        keys = (*kind.attributes, *(kind.keys or range(len(children) - len(kind.attributes))))
        return [n for key, child in zip(keys, children, strict=True) for n in _names_below(str(key), child)]
    if isinstance(children[0] if children else None, tuple) and not issubclass(cast(type, kind), (tuple, list)):
        keys, *children = children
        return [n for key, child in zip(keys, children, strict=True) for n in _names_below(str(key), child)]
    fields = getattr(kind, "_fields", [f"{name}_{key}" for key in keys])
    return [n for field, child in zip(fields, children, strict=True) for n in _names_below(field, child)]


__all__ = ["Compiled"]
