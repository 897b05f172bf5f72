"""The user's code runs once in a call that traces it, and a profiler of the user's sees what it saw before."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import irtool
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
