"""Tracing one call: what the function can reach, tensors in the place of arguments, and what it did to Python."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import starmap
from operator import itemgetter
from typing import Any, cast

from ...runtime.storage import Storage
from .. import grad_mode, tape, tree
from ..dispatch import value_of
from ..errors import runtime_error
from ..modes import modes
from ..mutations import bump
from ..source import is_ours
from ..tensor import Tensor, wrap
from ..tracing.later import put_off_so_far
from ..tracing.trace import Trace, tracing
from ..views import laid_out, overlaps
from .code_names import used_by_library
from .discovery import Discovery
from .dynamic import DynamicNumbers, DynamicPlaces, number_places
from .effects import EXCHANGED, Again, Data, Effect, Hints, History, ReadBack, changed_arguments
from .exchanged import are_apart, held_elsewhere
from .find_effects import EffectFinder, Substitutes
from .foreign_random import Draws
from .guards import Attribute, Guards, Numbers, values_in
from .iterators import Iterators, is_iterator
from .launch import ELSEWHERE
from .observer import Observer
from .places import Cell, Entry, Place, attributes_of, is_a
from .stand_ins import add_reads, show_prints
from .symbolic import Symbols, is_number
from .traced import Finisher, Held, Traced

TRACING = threading.RLock()
"""One trace at a time: the code of functions is exchanged meanwhile."""

ATTEMPTS = 64
"""How often a function may be traced before what it does to Python is known."""


@dataclass(frozen=True)
class Call:
    """The arguments of one call, flattened."""

    structure: Any
    leaves: Sequence[Any]
    names: Sequence[str]
    """What the user calls them."""
    dynamic: frozenset[int] = frozenset()
    """The leaves that are numbers which have changed between calls."""
    numbers: DynamicNumbers = field(default_factory=DynamicNumbers)
    """What earlier calls of the function have found out."""
    iterators: Iterators = field(default_factory=Iterators)
    """What the function draws from."""


class CallTrace:
    """A function traced for one call."""

    _trace: Trace | None = None
    """None before there is one: while it is found out what the function can reach."""
    traced: Traced
    symbols: Symbols | None = None
    requires_grad: list[tuple[int, bool]]
    """Arguments whose `requires_grad` the function sets."""

    def __init__(self, function: Callable[..., Any], call: Call, keep_gradients: bool) -> None:
        hints = Hints(call.numbers)
        with TRACING:
            try:
                self._trace_until_known(function, call, keep_gradients, hints)
            except BaseException:
                call.iterators.take_back()
                raise
            call.iterators.give_back()
        if self.impure:
            _warn_of_effects(self.impure, getattr(function, "__name__", "a function"))

    def _trace_until_known(self, function: Callable[..., Any], call: Call, keep_gradients: bool, hints: Hints) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._attempt(function, call, keep_gradients, hints)
                call.numbers.constant = hints.constant
                return
            except Again as again:
                again.learn(hints)
            except ReadBack as error:
                hints.look_into(error.container)
            except Exception as error:
                if self._trace is None:
                    raise
                if hints.constant or self.symbols is None or not self.symbols.nodes or _is_of_user(error):
                    show_prints(self._trace)
                    raise
                hints.constant = True  # it may have failed for want of the numbers themselves
        raise runtime_error("the compiled function changes Python values in another way each time that it is traced")

    def _attempt(self, function: Callable[..., Any], call: Call, keep_gradients: bool, hints: Hints) -> None:
        self._trace = None
        self.reusable = True
        """Whether later calls may use the program; not where tracing changed what it depends on."""
        self.places = hints.places
        """What holds further arguments of each call."""
        self._iterators = call.iterators
        self.discovery = discovery = Discovery()
        discovery.add_root(function, getattr(function, "__name__", "function"))
        for value, name in zip(call.leaves, call.names, strict=True):
            if not isinstance(value, Tensor):
                discovery.add_root(value, name)
        self.guards: Guards = discovery.finish()
        self._found = (*discovery.runtime, *self.guards.always, *self.guards.slow)
        """All that was there before."""
        self.outside = frozenset(discovery.names_of_storages)
        """Storages that the function can reach on its own."""
        self.themselves: dict[int, Tensor] = {}
        """Arguments that the function can also reach on its own."""
        self._draws = Draws(discovery.generators)
        self._trace = trace = Trace(dict(discovery.names_of_storages))
        trace.known.learned = discovery.learned
        self._run(trace, function, call, keep_gradients, hints)
        assert self.symbols is not None
        self.numbers = self.symbols.seal()
        if hints.constant:
            self.guards.always += discovery.rates
        self.argument_values = dict(trace.known.arguments)
        """Whole numbers among the arguments, by their place, that the program is for."""
        for storage, array in trace.known.relied_on.items():
            self.guards.always.append(Numbers(discovery.names_of_storages.get(storage, "a buffer"), storage, array))
        add_reads(trace, discovery)
        self.guards.seal()
        trace.release()

    def _run(self, trace: Trace, function: Callable[..., Any], call: Call, keep_gradients: bool, hints: Hints) -> None:
        further: list[Any] = []
        structures = [tree.flatten(place.now(), further, EXCHANGED) for place in self.places]
        count = len(call.leaves)
        names = [*call.names, *["kept"] * len(further)]
        call = replace(call, leaves=[*call.leaves, *further], names=names)
        self.symbols = Symbols(trace, len(call.leaves))
        """Numbers that each call brings along: further leaves of its own."""
        observer = trace.observer = Observer(
            self.symbols, self._iterators, self.discovery, lambda x: substitutes.append_only(x)
        )
        given, stand_ins = self._arguments(trace, call, count, hints)
        mode = modes.grad
        substitutes = Substitutes(self.guards, hints, observer)
        rates = [] if hints.constant else self.discovery.rates
        places = [] if hints.constant else self._dynamic_places(hints)
        rest = iter(given[count:])
        exchanged = [(p, tree.rebuild(structure, rest)) for p, structure in zip(self.places, structures)]
        dynamic = DynamicPlaces([*places, *rates], rates, exchanged, self.guards, observer)
        try:
            for place, new in exchanged:
                substitutes.put(place, new)
            self._iterators.begin(self.guards)
            trace.hyperparameters.update((entry.identity, entry.now()) for entry in self.discovery.runtime)
            with tracing(trace):
                arguments = tree.rebuild(call.structure, iter(given))
                args, kwargs = arguments
                observer.observe([*self.discovery.functions, *given])
                output = _run_through(trace, function, args, kwargs)
                grad_mode.switch(mode)
                self._settle_hooks(trace, output)
                substitutes.take_out()
                counts = dynamic.take_out()
                data = trace.assignments.settle(trace, self._is_shared(call.leaves[:count]))
                runtime = [e for e in self.discovery.runtime if e.identity not in observer.sources]
                assigned = [e for e in runtime if trace.has_assigned(e.mapping, e.key)]

                def is_ours(t: Tensor) -> bool:
                    storage = t._storage
                    traced = storage.array is None or t in stand_ins or trace.argument_of(storage)[0] is not None
                    return traced or (storage in trace.assignments.left and id(t) not in self.discovery.tensors)

                finder = EffectFinder(trace, self.discovery, self.guards, hints, is_ours)
                finder.run(substitutes, assigned)
                dynamic.relax(self.guards)
                self.impure = observer.impure
                """What was called that may have effects which no program repeats."""
                self.reusable = finder.reusable and not (data or self._draws.happened() or self._iterators.asked())
                before = tree.rebuild(call.structure, iter(given))
                self.effects: list[Effect] = [
                    *self._histories(trace, stand_ins, count),
                    *finder.effects,
                    *starmap(Data, data),
                    *counts,
                    *changed_arguments(before, arguments),
                    *put_off_so_far(trace),
                ]
                """What each call does besides returning."""
                self.requires_grad = [
                    (i, t._requires_grad)
                    for t, i in stand_ins.items()
                    if t._node is None and t._requires_grad is not getattr(call.leaves[i], "requires_grad", False)
                ]
                finisher = Finisher(trace, stand_ins, self._is_known, keep_gradients, self.symbols)
                self.traced = finisher.finish((output, tuple(effect.value for effect in self.effects)), finder)
                self._check_sharing(call.leaves[:count], hints)
                self._check_exchanged(count)
                _check_output([held.value for held in self.traced.outputs if isinstance(held, Held)])
        except BaseException:
            self._undo_attempt(trace)
            raise
        finally:
            observer.take_out()
            grad_mode.switch(mode)
            trace.end()

    def _dynamic_places(self, hints: Hints) -> list[Place]:
        """The numbers in attributes, variables and containers that change, or that code assigns."""
        discovery = self.discovery
        places = [p for guard in (*self.guards.always, *self.guards.slow) for p in number_places(guard)]
        found = [p for p in places if hints.numbers.is_dynamic(p) or _key(p) in discovery.assigned]
        found = [p for p in found if not (isinstance(p, Entry) and self._is_read_by_library(p))]
        return list({p.identity: p for p in found}.values())

    def _is_shared(self, leaves: Sequence[Any]) -> Callable[[Tensor, Storage], bool]:
        """Whether a tensor that was there before, other than this one, has this memory."""
        held = [x for guard in (*self.guards.always, *self.guards.slow) for x in values_in(guard)]
        tensors = [x for x in (*leaves, *held) if is_a(x, Tensor)]
        return lambda tensor, storage: any(x._storage is storage and x is not tensor for x in tensors)

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        assert self._trace is not None
        self._undo_attempt(self._trace)
        self._iterators.take_back()

    def _undo_attempt(self, trace: Trace) -> None:
        trace.end()
        trace.fail()
        self._draws.take_back()
        for guard in self._found:
            with suppress(Exception):  # what cannot be put back is no reason to hide why the trace failed
                if not guard.holds():
                    guard.restore()
        bump()

    # Before

    def _is_read_by_library(self, place: Entry) -> bool:
        """Whether code that is not traced reads the attribute, and has to find the number there."""
        if place.identity in self.discovery.hyperparameters:
            return True
        owner = self.discovery.owners.get(id(place.mapping))
        return owner is not None and place.key in used_by_library(cast(Any, type(owner)))

    def _arguments(self, trace: Trace, call: Call, count: int, hints: Hints) -> tuple[list[Any], dict[Tensor, int]]:
        """What the function is called with, and which of it stands for which leaf. Those from number `count` on are in
        places of their own. Arguments that share memory do so in the trace where it matters (`hints.shared`). A tensor
        that the function reaches by itself stays what it is, so that `.grad` and attributes have one owner."""
        symbols: Symbols = trace.observer.symbols
        given: list[Any] = []
        stand_ins: dict[Tensor, int] = {}
        by_id: dict[int, Tensor] = {}
        leaves, sharing = call.leaves, hints.shared
        dynamic = frozenset[int]() if hints.constant else call.dynamic
        self.fixed: list[tuple[int, Any]] = []
        """Arguments that are constants of the program."""
        tensors = [i for i, v in enumerate(leaves) if isinstance(v, Tensor)]
        storages = [leaves[i]._storage for i in tensors if i < count]
        for i, (value, name) in enumerate(zip(leaves, call.names, strict=True)):
            if isinstance(value, Tensor):
                if i < count and self.discovery.has_seen(value):
                    self.themselves[i] = value
                    given.append(value)
                    continue
                new = by_id.get(id(value))
                if new is None or i >= count:
                    storage = value._storage
                    among = sharing and (storages.count(storage) > 1 or overlaps(value))
                    shared = i < count and (among or storage in self.outside)
                    own = i >= count or (not shared and storage in storages[: tensors.index(i)])
                    others = (leaves[k] for k in tensors if shared and leaves[k]._storage is storage)
                    if shared and (storage in self.outside or any(t is not value for t in others)):
                        trace.shared.add(storage)
                    new = self._stand_in(trace, value, i, name, shared, own)
                    by_id.setdefault(id(value), new)
                    stand_ins[new] = i
                given.append(new)
            elif i in dynamic:
                given.append(symbols.source(name, value, itemgetter(i)))
            else:
                if is_number(value):
                    self.fixed.append((i, value))
                given.append(self._iterators.stand_in(value) if is_iterator(value) else value)
        return given, stand_ins

    def _stand_in(self, trace: Trace, value: Tensor, leaf: int, name: str, shared: bool, own: bool) -> Tensor:
        """A tensor in the place of an argument, so that what the trace does to it leaves the caller's alone."""
        storage = value._storage
        if not own and (value._view is None or shared):
            new = wrap(storage, value._spec, value._view, type(value))
        else:
            # A view: later calls may pass any view of this layout, so the trace sees bytes of their own.
            storage = Storage(ELSEWHERE, value._spec)
            new = wrap(storage, value._spec, laid_out(value._spec, value._view), type(value))
        trace.declare_argument(storage, leaf, name, whole=new._view is not None and new._view.op is not None)
        new._requires_grad = value.requires_grad
        new._node = None if value.is_leaf else tape.OUTSIDE
        new._grad = value._grad
        new.__dict__.update(value.__dict__)
        return new

    # After

    def _histories(self, trace: Trace, stand_ins: Mapping[Tensor, int], count: int) -> list[History]:
        """Tensors from outside whose history is made in here, also where a backward pass in here has used it up."""
        found: list[History] = []
        for t in trace.rewritten if modes.grad else ():
            value, target = value_of(trace, t), stand_ins.get(t, t)
            if target >= count if isinstance(target, int) else not self._is_known(target):
                continue
            made = None
            if trace.leaves_of(value):
                made = trace.wrap(value)
                tape.attach(tape.TRACED, (made,))
            found.append(History(target, made))
        return found

    def _is_known(self, tensor: Tensor) -> bool:
        """Whether a tensor existed before the trace."""
        return id(tensor) in self.discovery.tensors

    def _check_sharing(self, leaves: Sequence[Any], hints: Hints) -> None:
        """Arguments that share memory are traced as if they did not, until one of them is written to: then which parts
        they are matters, and a program is for one pattern. Batches are often slices of the same data."""
        self.written = [source.leaf for source in self.traced.updated if source.leaf is not None]
        """The arguments that are written to."""
        self.pattern = sharing(leaves) if hints.shared else None
        if not hints.shared and share(leaves, self.written):
            raise Again(Hints.share)

    def _check_exchanged(self, count: int) -> None:
        """What is exchanged may share no memory with anything else, where the program reads it."""
        further = [i for i in self.traced.inputs if i.leaf is not None and i.leaf >= count and not i.is_number]
        if any(source.value.first_use is not None for source in further):
            others = held_elsewhere(self._found, self.places)
            if not are_apart(self.places, others):
                raise Again(Hints.capture)
            places = tuple(self.places)
            self.guards.always.append(
                Attribute("whether kept tensors share memory", lambda: not are_apart(places, others), False)
            )

    def _settle_hooks(self, trace: Trace, output: Any) -> None:
        if "hooks" in trace.__dict__ and modes.grad:
            from ..autograd.gradients_traced import settle_hooks

            leaves: list[Any] = []
            tree.flatten(output, leaves)
            settle_hooks(trace, [y for y in leaves if isinstance(y, Tensor) and y.requires_grad])


def _check_output(values: Sequence[Any]) -> None:
    for value in values:
        if not isinstance(value, Tensor) and holds_traced(value):
            raise runtime_error(
                f"the compiled function returns or keeps a {type(value).__name__} that holds tensors. Return tensors, "
                "plain values, or tuples, lists, dictionaries and dataclasses of these"
            )


def sharing(leaves: Sequence[Any]) -> Any:
    """Which tensors share memory with which, or with themselves, and what parts of it they are; None where none do."""
    tensors = [v for v in leaves if isinstance(v, Tensor)]
    storages = [v._storage for v in tensors]
    if len(set(storages)) == len(storages) and not any(map(overlaps, tensors)):
        return None
    return tuple(storages.index(s) for s in storages), tuple(v._view for v in tensors)


def _run_through(trace: Trace, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a function returns. Raises what the trace has refused, also where the function has caught that."""
    try:
        output = function(*args, **kwargs)
    except Exception:
        if not trace.refused:
            raise
    else:
        if not trace.refused:
            return output
    raise trace.refused[0]


def share(leaves: Sequence[Any], which: Sequence[int]) -> bool:
    """Whether some of the arguments share memory with others, or with themselves."""
    tensors = [v for v in leaves if isinstance(v, Tensor)]
    written = [leaves[i] for i in which if i < len(leaves)]
    return any(map(overlaps, written)) or any(v._storage is w._storage and v is not w for w in written for v in tensors)


@contextmanager
def no_collection() -> Generator[None]:
    """Without garbage collection: IR is many long-lived objects, which collections would walk again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_of_user(error: Exception) -> bool:
    """Whether an exception was raised by code of the user itself; another one may be about a symbolic number."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and not is_ours(last.tb_frame.f_code.co_filename) and not isinstance(error, TypeError)


def _key(place: Place) -> Any:
    """The name or key by which code assigns a place."""
    return place.name if isinstance(place, Cell) else getattr(place, "key", None)


def _warn_of_effects(impure: Sequence[tuple[str, str, int]], function: str) -> None:
    name, filename, line = impure[0]
    warnings.warn_explicit(
        f"{name} is not known to be free of effects: calls of {function} that reach it run uncompiled. Move it out of "
        "the compiled function, or pass its result in",
        UserWarning,
        filename,
        line,
    )


def holds_traced(value: Any) -> bool:
    """Whether a container holds tensors without bytes."""
    if isinstance(value, Tensor):
        return value._storage.array is None
    if isinstance(value, dict):
        value = tuple(cast(dict[Any, Any], value).values())
    if isinstance(value, (list, tuple, set)):
        return any(map(holds_traced, cast(Sequence[Any], value)))
    parts = (attributes_of(value) or {}).values()
    return any(is_a(part, Tensor) and part._storage.array is None for part in parts)
