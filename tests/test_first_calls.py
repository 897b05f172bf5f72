"""The user's code runs once in a call that traces it, and leaves nothing alive that Python would not."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim

compiled = functools.partial(irtool.compile, target="reference")


def runs_of(call: Callable[[], Any], function: Any) -> int:
    """How often a function runs in a call, as a profiler sees it: by the line it begins at, since copies count too."""
    runs, line, before = 0, function.__code__.co_firstlineno, sys.getprofile()

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal runs
        code = frame.f_code
        runs += event == "call" and code.co_filename == __file__ and code.co_firstlineno == line

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return runs


def plain_step() -> Callable[..., Any]:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(x: Any) -> Any:
        loss = model(x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def adam_step() -> Callable[..., Any]:
    model = nn.Linear(3, 2)
    optimizer = optim.AdamW(model.parameters(), 0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def inference() -> Callable[..., Any]:
    model = nn.Linear(3, 2)

    def step(x: Any) -> Any:
        with irtool.no_grad():
            return model(x).softmax(-1)

    return step


def counting_step() -> Callable[..., Any]:
    model, o = nn.Linear(3, 2), SimpleNamespace(n=0)

    def step(x: Any) -> Any:
        o.n += 1
        return model(x) / o.n

    return step


def logging_step() -> Callable[..., Any]:
    model, losses = nn.Linear(3, 2), list[Any]()

    def step(x: Any) -> Any:
        loss = model(x).mean()
        losses.append(loss.detach())
        return loss

    return step


def printing_step() -> Callable[..., Any]:
    model = nn.Linear(3, 2)

    def step(x: Any) -> Any:
        print("mean", model(x).mean())
        return x

    return step


def normalized_step() -> Callable[..., Any]:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = optim.SGD(model.parameters(), 0.1)

    def step(x: Any) -> Any:
        loss = model(x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def step_that_is_kept() -> Callable[..., Any]:
    o = SimpleNamespace(h=irtool.zeros(3))

    def step(x: Any) -> Any:
        o.h = o.h * 0.5 + x.mean(0)
        return o.h

    return step


STEPS = [
    plain_step,
    adam_step,
    inference,
    normalized_step,
    counting_step,
    logging_step,
    printing_step,
    step_that_is_kept,
]


@pytest.mark.parametrize("make", STEPS, ids=[make.__name__ for make in STEPS])
def test_user_code_runs_once_on_a_first_call(make: Callable[[], Callable[..., Any]]) -> None:
    f = make()
    step = compiled(f)
    assert runs_of(lambda: step(irtool.ones(4, 3)), f) == 1
    assert (
        runs_of(lambda: step(irtool.ones(4, 3)), f) <= 1
    )  # a second trace may follow, of what changes from call to call


@pytest.mark.parametrize("make", STEPS[:4], ids=[make.__name__ for make in STEPS[:4]])
def test_known_calls_run_no_user_code(make: Callable[[], Callable[..., Any]]) -> None:
    f = make()
    step = compiled(f)
    for _ in range(3):
        step(irtool.ones(4, 3))
    assert runs_of(lambda: step(irtool.ones(4, 3)), f) == 0


def test_user_code_runs_once_with_numbers() -> None:
    def f(i: int, x: Any, s: float) -> Any:
        return x * s / (1 + i)

    step = compiled(f)
    assert runs_of(lambda: step(0, irtool.ones(3), 0.5), f) == 1


@pytest.mark.parametrize("late", [False, True])
def test_user_code_runs_once_in_a_call_that_fails(late: bool) -> None:
    model, o = nn.Linear(3, 2), SimpleNamespace(n=0, seen=[])

    def f(x: Any) -> Any:
        o.n += 1
        o.seen.append(x.mean())
        if not late:
            raise ValueError("mine")
        y = model(x)
        raise ValueError(f"mine {y.shape}")

    step = compiled(f)

    def call() -> None:
        with pytest.raises(ValueError, match="mine"):
            step(irtool.ones(4, 3))

    assert runs_of(call, f) == 1
    assert runs_of(call, f) == 1


def test_user_code_runs_once_where_a_number_is_asked_for() -> None:
    def f(x: Any, s: float) -> Any:
        return x * 2 if isinstance(s, float) and s in {0.5} and str(s) == "0.5" else x

    step = compiled(f)
    assert runs_of(lambda: step(irtool.ones(3), 0.5), f) == 1


# Profilers and tracers of the user


@pytest.mark.parametrize("get, put", [(sys.getprofile, sys.setprofile), (sys.gettrace, sys.settrace)])
def test_a_profiler_is_called_and_stays(get: Callable[[], Any], put: Callable[[Any], None]) -> None:
    seen: list[str] = []

    def inner(x: Any) -> Any:
        return x * 2

    def profiler(frame: Any, event: str, arg: Any) -> Any:
        if event == "call" and frame.f_code.co_filename == __file__:
            seen.append(frame.f_code.co_name)

    step = compiled(lambda x: inner(x))
    before = get()
    put(profiler)
    try:
        step(irtool.ones(3))
        kept = get()
        step(irtool.ones(3))
        still = get()
        inner(1)
    finally:
        put(before)
    assert kept is profiler and still is profiler
    assert seen.count("inner") >= 2


def test_a_profiler_of_c_functions_is_called() -> None:
    seen: list[str] = []

    def profiler(frame: Any, event: str, arg: Any) -> None:
        if event == "c_call":
            seen.append(arg.__name__)

    log: list[Any] = []
    step = compiled(lambda x: (log.append(1), x)[1])
    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        step(irtool.ones(3))
        assert sys.getprofile() is profiler
        len(log)
    finally:
        sys.setprofile(before)
    assert "len" in seen


def test_profilers_of_other_threads_stay() -> None:
    step, kept = compiled(lambda x: x * 2), list[Any]()

    def work() -> None:
        sys.setprofile(mine)
        step(irtool.ones(5))
        kept.append(sys.getprofile())
        sys.setprofile(None)

    def mine(*args: Any) -> None:
        pass

    t = threading.Thread(target=work)
    t.start()
    t.join()
    assert kept == [mine]


def test_a_profiler_stays_after_a_failed_call() -> None:
    def f(x: Any) -> Any:
        raise KeyError("mine")

    def profiler(*args: Any) -> None:
        pass

    step, before = compiled(f), sys.getprofile()
    sys.setprofile(profiler)
    try:
        with pytest.raises(KeyError):
            step(irtool.ones(3))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)


# Memory

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


def test_replaced_tensors_are_let_go_of_and_need_no_program() -> None:
    holder, seen = SimpleNamespace(w=irtool.zeros(LARGE)), list[weakref.ref[Any]]()
    step = compiled(lambda x: x + holder.w.sum())
    for k in range(6):
        holder.w = irtool.full((LARGE,), float(k))
        assert step(irtool.zeros(1)).item() == pytest.approx(k * LARGE, rel=1e-5)
        seen += [weakref.ref(holder.w), weakref.ref(holder.w._storage)]
    holder.w = None
    assert alive(seen) == 0 and len(step._recent) <= 2


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
    assert len(step._recent) <= 2


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
