"""Threads that do everything at once: trace, call, train, read, append and change the number of threads of programs."""

from __future__ import annotations

import functools
import threading
import time
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim

from .test_threads import argument, check, compiled, quick_switches, together

__all__ = ["quick_switches"]


def test_a_list_that_traced_code_reads_and_others_append_to() -> None:
    log, made = [irtool.zeros(1)], [0, 0]

    def step(x: Any) -> Any:
        log.append(x)
        return irtool.stack(log[:2]).sum()

    def work(k: int) -> None:
        compiled(step)(irtool.ones(1))
        made[0] += 1

    def append(k: int) -> None:
        log.append(irtool.ones(1))
        made[1] += 1
        time.sleep(0.01)

    together(work, append)
    assert len(log) == 1 + sum(made)


def test_everything_at_once() -> None:
    """Threads read and append, count, train eagerly and call programs of their own while others trace for the first
    time, again and again, functions that change the same objects."""
    o = SimpleNamespace(n=0, h=irtool.zeros(2), pair=(irtool.zeros(1), 0))
    log, entries, names, lock = list[Any](), dict[str, Any](), list[str](), threading.Lock()
    irtool.manual_seed(0)
    model = nn.Linear(2, 2)
    model.register_buffer("running", irtool.zeros(2))
    called = [0] * 3
    written = [0] * 3

    def make(i: int) -> Any:
        def step(x: Any) -> Any:
            o.n += 1
            o.h = o.h * 0.5 + x.mean(0)
            o.pair = x.sum()[None], o.n
            model.running = model.running * 0.5 + o.h
            log.append(x.sum())
            entries[f"{i}"] = x.sum() + i
            y = model(x)
            return (y * y).sum() + o.h.sum() + model.running.sum()

        return step

    def trace(i: int, k: int) -> None:
        with lock:  # what is read, changed and assigned is no more atomic than in eager code
            before = o.n
            compiled(make(i))(irtool.full((1 + k % 3, 2), 1.0))
            assert o.n == before + 1
        called[i] += 1

    def read(k: int) -> None:
        for value in (o.h, o.pair[0], model.running, *model.buffers(), *list(entries.values()), *log[-2:]):
            assert value.numpy().size in (1, 2)
        assert type(o.n) is int and type(o.pair[1]) is int and o.n >= 0
        written[0] += 1
        log.append(irtool.ones(1))
        names.append(f"{k}")
        assert names[-1] == f"{k}"

    def train(k: int) -> None:
        inner = nn.Linear(2, 1)
        optimizer = optim.SGD(inner.parameters(), 0.1)
        losses: list[float] = []
        for _ in range(3):
            loss = inner(irtool.ones(1, 2)).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] <= losses[0]
        written[1] += 1
        log.append(loss.detach())

    mine = compiled(lambda x, s: x * s + o.n * 0)

    def call(k: int) -> None:
        check(mine(irtool.full((3,), float(k)), 0.5), np.full(3, 0.5 * k, np.float32))
        written[2] += 1
        log.append(irtool.ones(1))

    works = [*(functools.partial(trace, i) for i in range(len(called))), read, train, call]
    together(*works)
    assert o.n == sum(called) and len(log) == sum(called) + sum(written) and len(names) == written[0]


class Own(optim.Optimizer):
    """As users write them: state in entries, in groups and in attributes, parameters that get other memory."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})
        self.sizes: list[Any] = []

    @irtool.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            group["size"] = sum(p.grad.pow(2).sum() for p in group["params"])
            for p in group["params"]:
                state = self.state[p]
                state["n"] = state.get("n", 0) + 1
                state["m"] = state.get("m", p * 0) * 0.5 + p.grad
                p.data = p.data - group["lr"] * state["m"]
            self.sizes.append(group["size"])


def test_optimizers_of_users() -> None:
    """While steps are traced, others read all that the optimizer keeps, and train models of their own."""
    irtool.manual_seed(0)
    model, steps = nn.Linear(2, 1), [0]
    own = Own(model.parameters())

    def train(k: int) -> None:
        def step(x: Any) -> Any:
            own.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            own.step()
            return loss

        compiled(step)(irtool.full((1 + k % 3, 2), 0.5))
        steps[0] += 1

    def read(k: int) -> None:
        for p in model.parameters():
            assert type(p) is nn.Parameter and p.is_leaf and p.requires_grad
            assert np.isfinite(p.detach().clone().numpy()).all() and f"{p.data}" and p.sum().item() < 1e9
            for key, value in list(own.state.get(p, {}).items()):
                assert value >= 0 if key == "n" else (value * 2).sum().item() < 1e9
        assert all(size.item() >= 0 for size in own.sizes[-2:])
        assert float(own.param_groups[0].get("size", 0.0)) >= 0

    def eagerly(k: int) -> None:
        inner = nn.Linear(2, 1)
        optimizer, x = Own(inner.parameters()), irtool.full((2, 2), 0.5)
        losses: list[float] = []
        for _ in range(3):
            loss = inner(x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[1] <= losses[0]

    together(train, read, read, eagerly)
    assert len(own.sizes) == steps[0] and {state["n"] for state in own.state.values()} == {steps[0]}


def test_programs_on_some_threads() -> None:
    """Programs in C run in several threads at once, each on as many threads of the runtime as was said last."""
    w = irtool.ones(4, 64)
    step = irtool.compile(lambda x, s: (x * w).sum(0) * s)
    traced = compiled(lambda x: x * 2 + w.sum())
    before = irtool.get_num_threads()

    def work(k: int) -> None:
        check(step(irtool.full((4, 64), float(k)), 0.5), np.full(64, 2.0 * k, np.float32))

    def change(k: int) -> None:
        irtool.set_num_threads(1 + k % 4)
        time.sleep(1e-3)

    try:
        together(work, work, lambda k: traced(argument(k)), change)
    finally:
        irtool.set_num_threads(before)


@pytest.mark.parametrize("kind", [threading.local, type("Local", (threading.local,), {})])
def test_attributes_that_each_thread_has_its_own_of(kind: Any) -> None:
    """They are places of the calling thread: each has programs of its own."""
    own, found = kind(), list[Any]()

    @compiled
    def step(x: Any) -> Any:
        own.n = own.n + 1
        return x * own.n

    def work(start: int) -> None:
        own.n = start
        found.append([*(step(irtool.ones(1)).item() for _ in range(3)), own.n])

    work(0)
    thread = threading.Thread(target=work, args=(10,))
    thread.start()
    thread.join()
    assert found == [[1, 2, 3, 3], [11, 12, 13, 13]]
