"""What a compiled function keeps alive: nothing that eager code would not."""

from __future__ import annotations

import functools
import gc
import queue
import weakref
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.frontend.compiling.guards import Absent
from irtool.frontend.compiling.places import Entry

compiled = functools.partial(irtool.compile, target="reference")

LARGE = 2_500_000
"""Elements of a tensor of 10 MB."""


class Payload:
    """Something large that no program has to keep."""

    def __init__(self) -> None:
        self.data, self.scale = np.zeros(LARGE, np.float32), 2.0


def alive(references: list[weakref.ref[Any]]) -> int:
    gc.collect()
    return sum(r() is not None for r in references)


def test_arguments_are_let_go_of() -> None:
    step, seen = compiled(lambda x: x.sum()), list[weakref.ref[Any]]()
    for _ in range(4):
        x = irtool.zeros(LARGE)
        step(x)
        seen += [weakref.ref(x), weakref.ref(x._storage)]
        del x
    assert alive(seen) == 0


def test_arguments_of_each_shape_are_let_go_of() -> None:
    step, seen = compiled(lambda x: x.sum()), list[weakref.ref[Any]]()
    for k in range(4):
        x = irtool.zeros(LARGE + k)
        step(x)
        seen += [weakref.ref(x), weakref.ref(x._storage)]
        del x
    assert alive(seen) == 0


def test_containers_among_arguments_are_let_go_of() -> None:
    step, seen = compiled(lambda batch: batch["x"].sum() * batch["k"]), list[weakref.ref[Any]]()
    for k in range(4):
        x = irtool.zeros(LARGE)
        step({"x": x, "k": k})
        seen.append(weakref.ref(x))
        del x
    assert alive(seen) == 0


def test_objects_among_arguments_are_let_go_of() -> None:
    step, seen = compiled(lambda x, o: x * o.scale), list[weakref.ref[Any]]()
    for _ in range(4):
        o = Payload()
        assert step(irtool.ones(2), o).tolist() == [2.0, 2.0]
        seen.append(weakref.ref(o))
        del o
    assert alive(seen) == 0


def test_objects_reached_by_name_are_let_go_of() -> None:
    holder, seen = SimpleNamespace(o=None), list[weakref.ref[Any]]()
    step = compiled(lambda x: x * holder.o.scale)
    for _ in range(4):
        holder.o = Payload()
        assert step(irtool.ones(2)).tolist() == [2.0, 2.0]
        seen.append(weakref.ref(holder.o))
    holder.o = None
    assert alive(seen) == 0


def test_replaced_tensors_are_let_go_of() -> None:
    holder, seen = SimpleNamespace(w=irtool.zeros(LARGE)), list[weakref.ref[Any]]()
    step = compiled(lambda x: x + holder.w.sum())
    for k in range(6):
        holder.w = irtool.full((LARGE,), float(k))
        assert step(irtool.zeros(1)).item() == pytest.approx(k * LARGE, rel=1e-5)
        seen += [weakref.ref(holder.w), weakref.ref(holder.w._storage)]
    holder.w = None
    assert alive(seen) == 0 and len(step._recent) <= 1


@pytest.mark.parametrize("place", ["global", "cell", "list", "dict", "module"])
def test_replaced_tensors_of_the_same_shape_need_no_program(place: str) -> None:
    scope: dict[str, Any] = {"w": None}
    exec("def read(): return w", scope)
    w, items, entries, module = None, [None], {"w": None}, nn.Module()
    module.register_buffer("w", irtool.zeros(3))

    def cell() -> Any:
        return w

    read = {
        "global": scope["read"],
        "cell": cell,
        "list": lambda: items[0],
        "dict": lambda: entries["w"],
        "module": lambda: module.w,
    }[place]
    step = compiled(lambda x: x * read())
    for k in range(5):
        w = scope["w"] = items[0] = entries["w"] = module.w = irtool.full((3,), float(k))
        assert step(irtool.ones(3)).tolist() == [float(k)] * 3
    assert step._compilations <= 2


def test_replaced_defaults_are_let_go_of() -> None:
    def scaled(x: Any, w: Any = 1.0, *, b: Any = 0.0) -> Any:
        return x * w + b

    step, references = irtool.compile(scaled, target="reference"), list[Any]()
    for k in range(3):
        w, b = irtool.full((3,), float(k)), irtool.full((3,), 1.0)
        references += [weakref.ref(w), weakref.ref(b)]
        scaled.__defaults__, scaled.__kwdefaults__ = (w,), {"b": b}
        del w, b
        assert step(irtool.ones(3)).tolist() == [k + 1.0] * 3
    gc.collect()
    assert [r() is None for r in references] == [True] * 4 + [False] * 2


def test_models_among_arguments_are_let_go_of() -> None:
    """As in cross-validation: a new model and optimizer each time, and one compiled function."""
    seen = list[weakref.ref[Any]]()

    @compiled
    def step(model: Any, x: Any) -> Any:
        return model(x).sum()

    for _ in range(3):
        model = nn.Linear(1000, 2500)
        expected = model(irtool.ones(1, 1000)).sum().item()
        assert step(model, irtool.ones(1, 1000)).item() == pytest.approx(expected, rel=1e-4, abs=1e-3)
        seen += [weakref.ref(model), weakref.ref(model.weight)]
        del model
    assert alive(seen) == 0


def test_replaced_parameters_are_let_go_of() -> None:
    model, seen = nn.Linear(2, 2), list[weakref.ref[Any]]()
    step = compiled(lambda x: model(x).sum().backward())
    for _ in range(3):
        model.weight = nn.Parameter(irtool.ones(2, 2))
        step(irtool.ones(1, 2))
        assert model.weight.grad is not None and model.weight.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        seen.append(weakref.ref(model.weight))
    del model.weight
    assert alive(seen) == 0


@pytest.mark.parametrize("container", [False, True])
def test_another_object_with_the_same_id_needs_another_program(container: bool) -> None:
    """What dies gives its id to what is made next."""

    class Scaled:
        __slots__ = ("__weakref__", "scale")

        def __init__(self, scale: float) -> None:
            self.scale = scale

    holder, ids = SimpleNamespace(o=None, several=[None]), set[int]()
    step = compiled((lambda x: x * holder.several[0].scale) if container else (lambda x: x * holder.o.scale))
    for k in range(12):
        holder.o = holder.several[0] = None
        holder.o = holder.several[0] = Scaled(float(k))
        ids.add(id(holder.o))
        assert step(irtool.ones(1)).item() == k
    assert len(ids) < 12


def test_programs_that_are_gone_are_told_from_those_that_never_were() -> None:
    step = compiled(lambda x, o: x * o.scale)
    with pytest.raises(RuntimeError, match="nothing is compiled yet"):
        step.ir()
    step(irtool.ones(2), Payload())
    gc.collect()
    with pytest.raises(RuntimeError, match="are gone"):
        step.ir()
    step(irtool.ones(2), Payload())
    assert "are gone" in step.explain()


def test_results_are_let_go_of() -> None:
    step, seen = compiled(lambda x: x + 1), list[weakref.ref[Any]]()
    for _ in range(4):
        y = step(irtool.zeros(LARGE))
        seen += [weakref.ref(y), weakref.ref(y._storage)]
        del y
    assert alive(seen) == 0


def test_kept_tensors_are_let_go_of() -> None:
    """A replaced hidden state, and entries of a history that the user clears."""
    holder, log, seen = SimpleNamespace(h=irtool.zeros(LARGE)), list[Any](), list[weakref.ref[Any]]()

    @compiled
    def step(x: Any) -> None:
        holder.h = holder.h + x
        log.append(holder.h)

    for _ in range(4):
        step(irtool.ones(1))
        seen.append(weakref.ref(log[-1]))
    holder.h = None
    log.clear()
    assert alive(seen) == 0


def test_a_failed_call_keeps_nothing() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        raise ValueError(y.shape)

    step, seen = compiled(f), list[weakref.ref[Any]]()
    for _ in range(3):
        x = irtool.zeros(LARGE)
        with pytest.raises(ValueError):
            step(x)
        seen.append(weakref.ref(x))
        del x
    assert alive(seen) == 0


def test_a_compiled_function_dies_with_its_programs() -> None:
    def used() -> list[weakref.ref[Any]]:
        model = nn.Linear(10, 10)
        step = compiled(lambda x: model(x))
        step(irtool.ones(1, 10))
        return [weakref.ref(step), weakref.ref(model)]

    assert alive(used()) == 0


def test_replaced_functions_with_defaults_are_let_go_of() -> None:
    """What asks for the defaults of a function does not keep it."""

    class Kept:
        pass

    def made(factor: float) -> tuple[Any, weakref.ref[Any]]:
        def scaled(x: Any, offset: float = 1.0) -> Any:
            return x * factor + offset

        scaled.kept = kept = Kept()  # type: ignore[attr-defined]
        return scaled, weakref.ref(kept)

    scaled, before = made(2.0)
    f = irtool.compile(lambda x: scaled(x), target="reference")
    assert [f(irtool.ones(1)).item() for _ in range(2)] == [3.0, 3.0]
    scaled.__defaults__ = (5.0,)
    assert f(irtool.ones(1)).item() == 7.0
    scaled, _ = made(4.0)
    assert f(irtool.ones(1)).item() == 5.0
    gc.collect()
    assert before() is None


CONTAINERS: dict[str, tuple[Any, Any]] = {
    "list": (lambda a, b: [a, b], lambda v: v),
    "tuple": (lambda a, b: (a, b), lambda v: v),
    "dictionary": (lambda a, b: {"a": a, "b": b}, lambda v: (v["a"], v["b"])),
    "ordered": (lambda a, b: OrderedDict(a=a, b=b), lambda v: (v["a"], v["b"])),
    "deque": (lambda a, b: deque([a, b]), lambda v: v),
    "lists in a list": (lambda a, b: [[a], [b]], lambda v: (v[0][0], v[1][0])),
    "list in a tuple": (lambda a, b: ([a, b], 1), lambda v: v[0]),
    "namespace": (lambda a, b: SimpleNamespace(a=a, b=b), lambda v: (v.a, v.b)),
}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("kept", [False, True])
def test_replaced_containers_are_let_go_of(kind: str, kept: bool) -> None:
    """Unless somebody else has them: then the programs for them stay as well."""
    make, parts = CONTAINERS[kind]
    holder, seen, all_of_them = SimpleNamespace(v=None), list[weakref.ref[Any]](), list[Any]()
    step = compiled(lambda x: x * parts(holder.v)[0] + parts(holder.v)[1])
    for k in range(4):
        holder.v = make(irtool.full((3,), float(k)), irtool.ones(3))
        seen.append(weakref.ref(parts(holder.v)[0]))
        if kept:
            all_of_them.append(holder.v)
        assert step(irtool.ones(3)).tolist() == [k + 1.0] * 3
    assert alive(seen) == (4 if kept else 1)
    for k, holder.v in enumerate(all_of_them):
        assert step(irtool.ones(3)).tolist() == [k + 1.0] * 3
    assert step._compilations == 4


def test_numbers_that_change_keep_nothing_alive() -> None:
    holder, seen = SimpleNamespace(o=None), list[weakref.ref[Any]]()
    step = compiled(lambda x: x * holder.o.scale)
    for _ in range(4):
        holder.o = Payload()
        for scale in (2.0, 3.0, 4.0):
            holder.o.scale = scale
            assert step(irtool.ones(2)).tolist() == [scale, scale]
        seen.append(weakref.ref(holder.o))
    holder.o = None
    assert alive(seen) == 0


CYCLES: dict[str, Any] = {
    "its own method": lambda model: setattr(model, "step", compiled(model.forward)),
    "a closure over it": lambda model: setattr(model, "step", compiled(lambda x: model(x).sum())),
    "itself": lambda model: setattr(model, "step", compiled(model)),
    "a hook": lambda model: model.register_forward_hook(compiled(lambda m, x, y: y * model.weight.sum())),
}


@pytest.mark.parametrize("kind", CYCLES)
def test_cycles_through_compiled_functions_are_collected(kind: str) -> None:
    seen = list[weakref.ref[Any]]()
    for _ in range(3):
        model = nn.Linear(3, 3)
        CYCLES[kind](model)
        step = getattr(model, "step", model)
        for _ in range(2):
            y = step(irtool.ones(1, 3))
        model.weight = nn.Parameter(irtool.ones(3, 3))
        y = step(irtool.ones(1, 3)).sum()
        y.backward()
        seen += [weakref.ref(model), weakref.ref(model.weight), weakref.ref(step)]
        del model, step, y
    assert alive(seen) == 0


def test_a_trainer_that_compiles_its_own_step_is_collected() -> None:
    """With an optimizer, and state that is replaced."""

    class Trainer:
        def __init__(self) -> None:
            self.model = nn.Linear(3, 1)
            self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)
            self.history: list[Any] = []
            self.hidden, self.best = irtool.zeros(1, 3), None
            self.step = compiled(self._step)

        def _step(self, x: Any) -> Any:
            self.hidden = self.hidden + x
            loss = self.model(self.hidden).square().sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.history.append(loss.detach())
            self.best = self.hidden
            return loss.detach()

    seen = list[weakref.ref[Any]]()
    for _ in range(2):
        trainer = Trainer()
        for _ in range(3):
            trainer.step(irtool.ones(1, 3))
        trainer.hidden = irtool.ones(1, 3)
        trainer.step(irtool.ones(1, 3))
        trainer.optimizer = optim.Adam(trainer.model.parameters(), lr=0.1)
        trainer.step(irtool.ones(1, 3))
        state = trainer.optimizer.state[trainer.model.weight]
        seen += [weakref.ref(v) for v in (trainer, trainer.model, trainer.hidden, trainer.history[0], trainer.step)]
        seen += [weakref.ref(v) for v in state.values() if isinstance(v, irtool.Tensor)]
        del trainer, state
    assert alive(seen) == 0


@pytest.mark.parametrize("backward", [False, True])
def test_what_is_saved_for_gradients_is_in_no_circle(backward: bool) -> None:
    """It goes with the result, and does not wait for the collector of circles."""
    w = irtool.ones(3, requires_grad=True)
    f = compiled(lambda x: (w * x.exp()).sum())

    def call() -> weakref.ref[Any]:
        y = f(irtool.ones(3))
        if backward:
            y.backward()
        return weakref.ref(y.grad_fn)

    call()
    gc.collect()
    gc.disable()
    try:
        assert call()() is None
    finally:
        gc.enable()


def test_what_a_trace_found_that_was_given_up_is_let_go_of() -> None:
    """At once, and not when garbage is collected: there may be much of it."""
    calls, holders = queue.SimpleQueue[Any](), [SimpleNamespace(n=i) for i in range(50)]

    def f(x: Any) -> Any:
        total = sum(holder.n for holder in holders)
        calls.put(total)
        return x * 2

    before = {id(x) for x in gc.get_objects() if type(x) in (Entry, Absent)}
    gc.disable()
    try:
        with pytest.warns(UserWarning, match="run uncompiled"):
            compiled(f)(irtool.ones(2))
        left = [x for x in gc.get_objects() if type(x) in (Entry, Absent) and id(x) not in before]
    finally:
        gc.enable()
    assert len(left) < 10
