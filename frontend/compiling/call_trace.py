"""Tracing one call: what the function can reach, tensors in the place of arguments, and what it did to Python."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast

from ...runtime.storage import ArgumentStorage, Storage
from .. import grad_mode, tape, tree
from ..dispatch import value_of
from ..errors import runtime_error
from ..layout import laid_out, overlaps
from ..modes import modes
from ..mutations import bump
from ..node import OUTSIDE, TRACED
from ..source import is_ours
from ..tensor import Tensor, wrap
from ..tracing.again import Again
from ..tracing.trace import Trace, tracing
from .aliasing import Aliasing, span_of, unaliasable
from .around import check_output, close_coroutines, run_through
from .buffers import BufferNumbers
from .call_arguments import CallArguments
from .changed_numbers import number_places
from .code_names import used_by_library
from .copies import Copies
from .discovery import Discovery
from .dynamic import DynamicPlaces
from .effects import EXCHANGED, Assign, Data, Effect, Hints, History, ReadBack, changed_arguments, contains
from .exchanged import are_apart, expected_exchanges, held_elsewhere, read_places
from .find_effects import EffectFinder, Substitutes
from .foreign_random import Draws
from .guard_set import Guards
from .guards import Attribute, Contents, Flag, Length
from .holders import seen_elsewhere
from .iterators import is_iterator
from .observer import Observer
from .places import Cell, Entry, Place, Slot, is_a
from .plans import Held
from .sharing import held_after, meet, share, sharing
from .stand_ins import add_reads, show_prints
from .symbolic import Symbols, is_number
from .traced import Finisher, Traced

TRACING = threading.RLock()
"""One trace at a time: the code of functions is exchanged meanwhile."""

ATTEMPTS = 64
"""How often a function may be traced before what it does to Python is known."""


class CallTrace:
    """A function traced for one call."""

    _trace: Trace | None = None
    """None before there is one: while it is found out what the function can reach."""
    traced: Traced
    symbols: Symbols | None = None
    requires_grad: list[tuple[int | Flag, bool]]
    """Arguments, and what the function reaches by itself, whose `requires_grad` it sets."""

    def __init__(self, function: Callable[..., Any], call: CallArguments, keep_gradients: bool) -> None:
        hints = Hints(call.numbers)
        with TRACING:
            try:
                self._trace_until_known(function, call, keep_gradients, hints)
            except BaseException:
                call.iterators.take_back()
                raise
            call.iterators.give_back()

    def _trace_until_known(
        self, function: Callable[..., Any], call: CallArguments, keep_gradients: bool, hints: Hints
    ) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._attempt(function, call, keep_gradients, hints)
                call.numbers.constant = hints.constant and not hints.plain
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

    def _attempt(self, function: Callable[..., Any], call: CallArguments, keep_gradients: bool, hints: Hints) -> None:
        self._trace = None
        self.reusable = True
        """Whether later calls may use the program; not where tracing changed what it depends on."""
        self._iterators = call.iterators
        self.discovery = discovery = Discovery(hints.whole)
        discovery.running = call.numbers.functions()
        discovery.given = {value._storage for value in call.leaves if is_a(value, Tensor)}
        discovery.add_root(function, getattr(function, "__name__", "function"))
        for value, name in [p for p in zip(call.leaves, call.names, strict=True) if not is_a(p[0], Tensor)]:
            discovery.add_root(value, name)
        self.guards: Guards = discovery.finish()
        self._found = (*discovery.runtime, *self.guards.always, *self.guards.slow)
        """All that was there before."""
        if hints.is_first:
            hints.is_first = False
            hints.kept = frozenset(discovery.kept)
            hints.places = expected_exchanges(self._found, self._is_assigned)
        self.places = hints.places
        """What holds further arguments of each call."""
        self.outside = frozenset(discovery.names_of_storages)
        """Storages that the function can reach on its own."""
        self.themselves: dict[int, Tensor] = {}
        """Arguments that the function can also reach on its own."""
        self._draws = Draws(discovery.generators)
        self._trace = trace = Trace(dict(discovery.names_of_storages))
        trace.known.learned = discovery.learned
        homes = self._run(trace, function, call, keep_gradients, hints)
        assert self.symbols is not None
        self.numbers = self.symbols.seal()
        if hints.constant:
            self.guards.always += discovery.rates
        self.argument_values = dict(trace.known.arguments)
        """Whole numbers among the arguments, by their place, that the program is for."""
        for storage, array in trace.known.relied_on.items():
            self.guards.always.append(
                BufferNumbers(discovery.names_of_storages.get(storage, "a buffer"), storage, array)
            )
        add_reads(trace, discovery)
        self.guards.seal()
        self.where = trace.device
        """Where the tensors of the trace are."""
        trace.release()
        self._check_homes(trace, homes, call, hints)
        trace.observer.overlay.held.clear()

    def _run(
        self, trace: Trace, function: Callable[..., Any], call: CallArguments, keep_gradients: bool, hints: Hints
    ) -> list[Entry]:
        """Makes the trace. Returns the buffers that get other numbers where Python would replace them."""
        further: list[Any] = []
        structures = [tree.flatten(place.now(), further, EXCHANGED) for place in self.places]
        count = len(call.leaves)
        call = replace(call, leaves=[*call.leaves, *further], names=[*call.names, *["kept"] * len(further)])
        self.symbols = Symbols(trace, len(call.leaves))
        """Numbers that each call brings along: further leaves of its own."""
        observer = trace.observer = Observer(
            self.symbols, self._iterators, self.discovery, call.numbers, lambda x: substitutes.append_only(x)
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
                observer.observe([*self.discovery.unseen.values(), *given])
                output = run_through(trace, function, args, kwargs)
                self.outside |= self.discovery.names_of_storages.keys()
                if observer.impure is not None:
                    raise observer.impure
                grad_mode.switch(mode)
                self._settle_hooks(trace, output)
                substitutes.take_out()
                counts = dynamic.take_out()
                data = trace.assignments.settle(trace, self._is_shared(call.leaves[:count], hints))
                runtime = [e for e in self.discovery.runtime if e.identity not in observer.sources]
                assigned = [e for e in runtime if trace.has_assigned(e.mapping, e.key)]

                def is_ours(t: Tensor) -> bool:
                    storage = t._storage
                    traced = storage.symbolic or t in stand_ins or trace.argument_of(storage)[0] is not None
                    return traced or (storage in trace.assignments.left and id(t) not in self.discovery.tensors)

                finder = EffectFinder(trace, self.discovery, self.guards, hints, is_ours)
                finder.run(substitutes, assigned)
                dynamic.relax(self.guards)
                self.asks_identity = observer.asks_identity
                self.reusable = finder.reusable and not (hints.plain or data or self._has_drawn())
                before = tree.rebuild(call.structure, iter(given))
                self.effects: list[Effect] = [
                    *self._histories(trace, stand_ins, count),
                    *finder.effects,
                    *[Data(stand_ins.get(tensor, tensor), value) for tensor, value in data],
                    *counts,
                    *changed_arguments(before, arguments),
                    *trace.deferred,
                    *observer.repeated,
                ]
                """What each call does besides returning."""
                set_here = [
                    (i, t._requires_grad)
                    for t, i in stand_ins.items()
                    if t._node is None and t._requires_grad is not getattr(call.leaves[i], "requires_grad", False)
                ]
                self.requires_grad = [*set_here, *finder.flags]
                finisher = Finisher(trace, stand_ins, self._is_known, keep_gradients, self.symbols)
                self.traced = finisher.finish((output, tuple(effect.value for effect in self.effects)), finder)
                self._check_sharing(call.leaves[:count], hints)
                self._check_exchanged(call.leaves, count)
                self._check_memory(trace, call.leaves, count)
                self.outside |= {found.memory[0] for _, found in self.traced.grads_found if found.pinned is not None}
                check_output([held.value for held in self.traced.outputs if isinstance(held, Held)])
                return finder.homes
        except BaseException as error:
            close_coroutines(error.__traceback__)
            if observer.impure is not None:
                traceback.clear_frames(observer.impure.__traceback__)  # generators end while this is still undone
            self._undo_attempt(trace)
            observer.overlay.give_up()
            if observer.impure is not None:
                raise observer.impure from None
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

    def _is_shared(self, leaves: Sequence[Any], hints: Hints) -> Callable[[Tensor, Storage], bool]:
        """Whether a tensor that was there before, other than this one, has this memory, or may in other calls."""
        trace = self._trace
        assert trace is not None
        held = held_after((*self.guards.always, *self.guards.slow), trace.observer)
        tensors = [x for x in (*leaves, *held) if is_a(x, Tensor)]

        def is_shared(tensor: Tensor, storage: Storage) -> bool:
            leaf, _ = trace.argument_of(storage)
            if (leaf is not None and leaf < len(leaves)) or contains(hints.apart, storage):
                return True
            return any(x._storage is storage and x is not tensor for x in tensors)

        return is_shared

    def _has_drawn(self) -> bool:
        return self._draws.happened() or self._iterators.asked()

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        assert self._trace is not None
        self._undo_attempt(self._trace)
        self._iterators.take_back()

    def _undo_attempt(self, trace: Trace) -> None:
        trace.end()
        trace.fail()
        self._draws.take_back()
        copies: Copies = trace.observer.copies
        for guard in (*self._found, *self.discovery.late):
            if isinstance(guard, (Contents, Length)) and copies.is_untouched(guard.container):
                continue
            with suppress(Exception):  # what cannot be put back is no reason to hide why the trace failed
                if not guard.holds():
                    guard.restore()
        bump()

    # Before

    def _is_assigned(self, place: Place) -> bool:
        """Whether traced code assigns an attribute or a variable, as far as its name tells."""
        if isinstance(place, Entry):
            mapping = id(place.mapping)
            inside = mapping in self.discovery.tables or mapping not in self.discovery.namespaces
            if inside or self._is_read_by_library(place):
                return False
        return _key(place) in self.discovery.assigned

    def _is_read_by_library(self, place: Entry) -> bool:
        """Whether code that is not traced reads the attribute, and has to find the number there."""
        owner = self.discovery.owners.get(id(place.mapping))
        return owner is not None and place.key in used_by_library(cast(Any, type(owner)))

    def _arguments(
        self, trace: Trace, call: CallArguments, count: int, hints: Hints
    ) -> tuple[list[Any], dict[Tensor, int]]:
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
        tensors = [i for i, v in enumerate(leaves) if is_a(v, Tensor)]
        storages = [leaves[i]._storage for i in tensors if i < count]
        for i, (value, name) in enumerate(zip(leaves, call.names, strict=True)):
            if is_a(value, Tensor):
                if i < count and self.discovery.has_seen(value):
                    self.themselves[i] = value
                    given.append(value)
                    continue
                new = by_id.get(id(value))
                if new is None or i >= count:
                    storage = value._storage
                    among = sharing and (storages.count(storage) > 1 or overlaps(value._view))
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
            storage = ArgumentStorage(value._spec, storage.device)
            new = wrap(storage, value._spec, laid_out(value._spec, value._view), type(value))
        trace.declare_argument(storage, leaf, name, whole=new._view is not None and new._view.op is not None)
        new._requires_grad = value.requires_grad
        new._detached = value._detached if shared else 0
        new._node = None if value.is_leaf else OUTSIDE
        new._grad = value._grad
        new.__dict__.update(value.__dict__)
        trace.came_from[new] = value
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
                made = trace.wrap(value, t.device)
                tape.attach(TRACED, (made,))
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

    def _check_exchanged(self, leaves: Sequence[Any], count: int) -> None:
        """What is exchanged may share no memory with anything else, where the program reads it or writes to it."""
        if self.written and meet(leaves[:count], leaves[count:]):
            raise Again(Hints.capture)
        further = [i for i in self.traced.inputs if i.leaf is not None and i.leaf >= count and not i.is_number]
        if any(source.value.first_use is not None for source in further):
            others = held_elsewhere(self._found, self.places)
            if not are_apart(self.places, others):
                raise Again(Hints.capture)
            places = tuple(self.places)
            self.guards.always.append(
                Attribute("whether kept tensors share memory", lambda: not are_apart(places, others), False)
            )

    def _check_memory(self, trace: Trace, leaves: Sequence[Any], count: int) -> None:
        """What is written to has to be apart from everything else that the program is handed, as it is in the trace."""
        aliasing = Aliasing(self.traced.inputs, self.traced.updated, map(span_of, self.discovery.arrays))
        for source in aliasing.same(leaves):
            if source.leaf is not None and source.leaf >= count:
                raise Again(Hints.capture)
            raise unaliasable(trace, source)
        written = aliasing.meeting(leaves)
        if written is not None:
            raise unaliasable(trace, written)

    def _check_homes(self, trace: Trace, homes: list[Entry], call: CallArguments, hints: Hints) -> None:
        """What is written where Python would replace a tensor, or its memory, nobody else may see there."""
        buffers = {t._storage: t for t in (home.now() for home in homes)}
        self.owners: dict[Storage, Tensor] = {**buffers, **trace.assignments.owners}
        """The memory, and the tensors that have it."""
        exchanged = {place.identity for place in read_places(self.traced, self.places, len(call.leaves))}
        assigned = [e.place for e in self.effects if isinstance(e, Assign) and is_a(e.place.now(), Tensor)]
        assigned = [p for p in assigned if p.identity not in exchanged and p.identity not in hints.kept]
        self.replaced: list[Place] = [*homes, *assigned] if self.owners else []
        """Places of tensors that nobody else has."""
        own: list[Any] = [place.now() for place in assigned]
        for value in (*(e.value for e in self.effects), *(now for _, now in trace.observer.overlay.changes())):
            tree.flatten(value, own, EXCHANGED)
        seen = seen_elsewhere(self.owners, {*map(id, own)})
        if seen:
            self._undo_attempt(trace)
            raise Again(lambda hints: hints.keep_apart(seen))

    def _settle_hooks(self, trace: Trace, output: Any) -> None:
        if trace.hooks and modes.grad:
            from ..autograd.gradients_traced import settle_hooks

            leaves: list[Any] = []
            tree.flatten(output, leaves)
            settle_hooks(trace, [y for y in leaves if is_a(y, Tensor) and y.requires_grad])


def _is_of_user(error: Exception) -> bool:
    """Whether an exception was raised by code of the user itself; another one may be about a symbolic number."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and not is_ours(last.tb_frame.f_code.co_filename) and not isinstance(error, TypeError)


def _key(place: Place) -> Any:
    """The name or key by which code assigns a place."""
    if isinstance(place, Slot):
        return place.descriptor.__name__
    return place.name if isinstance(place, Cell) else getattr(place, "key", None)
