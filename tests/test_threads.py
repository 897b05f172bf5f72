"""Threads that call, trace and change things at once: each call means what it means alone, nothing gets lost."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn

SECONDS = 30.0 if os.environ.get("IRTOOL_LARGE_TESTS") else 0.3
"""How long each test goes on."""

THREADS = 4

compiled = functools.partial(irtool.compile, target="reference")

PLAIN = (int, float, bool, str, list, dict, tuple, type(None))


@pytest.fixture(autouse=True)
def quick_switches() -> Iterator[None]:
    """Threads take turns often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(*works: Callable[[int], None], seconds: float = SECONDS) -> int:
    """Each work again and again in a thread, with its count, until the time is over; how many rounds there were."""
    errors: list[BaseException] = []
    rounds = [0] * len(works)
    end, start = time.monotonic() + seconds, threading.Barrier(len(works))

    def loop(k: int) -> None:
        try:
            start.wait()
            while time.monotonic() < end and not errors:
                works[k](rounds[k])
                rounds[k] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=loop, args=(k,)) for k in range(len(works))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of many programs
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    if errors:
        raise errors[0]
    assert all(rounds)
    return sum(rounds)


def argument(k: int) -> Any:
    """Of ever new shapes: each sixth call traces."""
    return irtool.full((1 + k // 6,), float(k))


def check(y: Any, expected: Any) -> None:
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-5)


def test_calls_of_one_function() -> None:
    step = compiled(lambda x, s: x * s + 1)

    def work(k: int) -> None:
        check(step(argument(k), 0.5 + k), np.full(1 + k // 6, k * (0.5 + k) + 1, np.float32))

    together(*[work] * THREADS)


def test_counters_and_lists_of_different_functions() -> None:
    """Four functions change the same objects under a lock; the fifth thread only looks on."""
    o, log, entries = SimpleNamespace(n=0, total=0.0), list[Any](), dict[Any, Any]()
    lock = threading.Lock()

    def make() -> Any:
        @compiled
        def step(x: Any) -> Any:
            o.n += 1
            o.total = o.total + 0.5
            log.append(x.sum())
            entries[o.n] = o.n
            return x * 2

        return step

    steps = [make() for _ in range(THREADS)]
    calls = [0] * THREADS

    def work(i: int, k: int) -> None:
        with lock:
            before = o.n
            y = steps[i](argument(k))
            calls[i] += 1
            assert o.n == before + 1 and len(log) == o.n and entries[o.n] == o.n
        check(y, np.full(1 + k // 6, 2.0 * k, np.float32))

    def look(k: int) -> None:
        assert type(o.n) is int and type(o.total) is float
        assert type(log) is list and type(entries) is dict
        assert all(type(v) is irtool.Tensor for v in log[-3:])
        assert 0 <= o.n - len(log) <= 1 or len(log) >= o.n - 1
        time.sleep(0)

    together(*[functools.partial(work, i) for i in range(THREADS)], look)
    assert o.n == sum(calls) == len(log) == len(entries) and o.total == 0.5 * o.n
    assert all(v.item() >= 0 for v in log)


def test_appends_without_a_lock() -> None:
    """`list.append` is atomic: nothing may get lost, whoever traces."""
    log = list[Any]()

    def make() -> Any:
        @compiled
        def step(x: Any) -> Any:
            log.append(x.sum())
            return x * 2

        return step

    steps = [make() for _ in range(THREADS)]
    calls = [0] * (THREADS + 1)

    def work(i: int, k: int) -> None:
        steps[i](argument(k))
        calls[i] += 1

    def eager(k: int) -> None:
        log.append(irtool.ones(1))
        calls[-1] += 1
        assert type(log) is list and len(log) > 0 and type(log[-1]) is irtool.Tensor
        time.sleep(0)

    together(*[functools.partial(work, i) for i in range(THREADS)], eager)
    assert len(log) == sum(calls)
    assert all(type(v) is irtool.Tensor and v.item() >= 0 for v in log)


def test_one_step_and_appends_from_outside() -> None:
    """A thread appends to the list that the step of another one appends to, pops from or goes over."""
    log, numbers = list[Any](), [1.0]

    @compiled
    def step(x: Any) -> Any:
        log.append(x.sum())
        return x * len(numbers) * 0 + sum(numbers)

    made = [0, 0]

    def work(k: int) -> None:
        n = len(numbers)
        y = step(argument(k))
        made[0] += 1
        assert n <= y[0].item() <= len(numbers)

    def outside(k: int) -> None:
        log.append(None)
        made[1] += 1
        if k % 8 == 0 and len(numbers) < 60:
            numbers.append(1.0)
        time.sleep(1e-4)

    together(work, outside)
    assert len(log) == sum(made) and sum(v is None for v in log) == made[1]


def test_readers_meet_plain_numbers() -> None:
    """While one thread traces again and again, others read the numbers, lists and attributes that it uses."""
    o = SimpleNamespace(n=0, rate=1.0, flag=True, name="a", items=[1, 2.5], options={"lr": 0.1}, w=irtool.ones(1))
    kept = 0

    class Counter:
        n = 0

    def step(x: Any) -> Any:
        nonlocal kept
        o.n += 1
        o.rate = o.rate * 0.999 + 0.001
        kept += 1
        Counter.n += 1
        o.items.append(o.n)
        o.options["n"] = o.n
        o.w = o.w + 1
        return x * o.rate / o.n + o.options["lr"]

    model = nn.Linear(1, 1)
    model.calls = 0

    def module(x: Any) -> Any:
        model.calls += 1
        return model(x.sum()[None]).detach() / model.calls

    functions = {"step": step, "module": module}

    def trace(k: int) -> None:
        for f in functions.values():
            compiled(f)(argument(k))
            o.items[:] = o.items[:2]

    def read(k: int) -> None:
        for value in (o.n, o.rate, o.flag, o.name, o.items, o.options, kept, Counter.n, model.calls):
            assert type(value) in PLAIN, type(value)
        for value in (*tuple(o.items), *tuple(o.options.values())):
            assert type(value) in PLAIN, type(value)
        assert o.n >= 0 and o.n + 1 > o.n and f"{o.n:d}" and f"{o.rate:.3f}" and o.rate * 2 > 0
        assert type(o.w) is irtool.Tensor and o.w.numpy().shape == (1,)
        assert all(type(v) is nn.Parameter for v in vars(model)["_parameters"].values())
        assert step.__globals__ is globals() and step.__closure__ is not None

    together(trace, read, read, read)
    assert type(o.n) is int and o.n == kept == Counter.n


def test_globals_that_are_replaced() -> None:
    """A call uses a value that was there at some time during it."""
    o, scope = SimpleNamespace(scale=1.0), {"scale": 1.0, "f": abs}
    exec("def step(x): return x * scale", scope)
    step, other = compiled(scope["step"]), compiled(lambda x: x * o.scale)

    def work(k: int) -> None:
        for f in (step, other):
            value = float(f(irtool.ones(1 + k // 20))[0])
            assert value in (1.0, 2.0, 3.0)

    def replace(k: int) -> None:
        scope["scale"] = o.scale = float(1 + k % 3)
        time.sleep(1e-4)

    together(work, work, work, replace)


def test_training_in_threads() -> None:
    """Each thread trains a model of its own with one function."""

    def eagerly(model: Any, x: Any) -> Any:
        loss = model(x).pow(2).mean()
        model.zero_grad()
        loss.backward()
        with irtool.no_grad():
            for p in model.parameters():
                p -= 0.01 * p.grad
        return loss.detach()

    step, lock = compiled(eagerly), threading.Lock()
    pairs: list[Any] = []
    for seed in range(THREADS):
        irtool.manual_seed(seed)
        pairs.append((nn.Linear(2, 1), nn.Linear(2, 1)))
        pairs[-1][1].load_state_dict(pairs[-1][0].state_dict())

    def work(i: int, k: int) -> None:
        x = irtool.ones(1 + k // 10, 2) * 0.5
        a = step(pairs[i][0], x)
        with lock:
            b = eagerly(pairs[i][1], x)
        check(a, b.numpy())

    together(*[functools.partial(work, i) for i in range(THREADS)])


def test_eager_code_beside_traces() -> None:
    """Eager code of other threads is not traced, and finds modes, hooks, random numbers and builtins as they are."""
    model = nn.Linear(2, 2)
    expected = model(irtool.ones(1, 2)).detach().numpy()
    builtins, profile = {**vars(sys.modules["builtins"])}, sys.getprofile()

    def trace(k: int) -> None:
        compiled(lambda x: model(x).relu() * k)(irtool.ones(1 + k % 5, 2))

    def eager(k: int) -> None:
        assert irtool.is_grad_enabled()
        y = model(irtool.ones(1, 2))
        check(y, expected)
        with irtool.no_grad():
            assert not (y * 2).requires_grad
        w = irtool.ones(2, requires_grad=True)
        (w * w).sum().backward()
        check(w.grad, np.full(2, 2.0, np.float32))
        assert isinstance(1.5, float) and int is int and max(1, 2.5) == 2.5 and sys.getprofile() is profile
        assert {**vars(sys.modules["builtins"])} == builtins

    together(trace, trace, eager, eager)


def test_queues_and_events() -> None:
    """Effects of calls in one thread arrive in another, once each."""
    q: queue.SimpleQueue[int] = queue.SimpleQueue()
    sent, received = [0], [0]

    @compiled
    def step(x: Any) -> Any:
        q.put(1)
        return x * 2

    def work(k: int) -> None:
        step(argument(k))
        sent[0] += 1

    def drain(k: int) -> None:
        with contextlib.suppress(queue.Empty):
            received[0] += q.get(timeout=0.001)

    together(work, drain)
    while not q.empty():
        received[0] += q.get()
    assert received == sent


def test_errors_in_one_thread() -> None:
    """A call that fails puts back what it has touched itself, not what others have done meanwhile."""
    o, log = SimpleNamespace(n=0, good=0), list[int]()

    @compiled
    def bad(x: Any) -> Any:
        y = x * 2
        raise ValueError(y.shape)

    @compiled
    def good(x: Any) -> Any:
        o.good += 1
        return x * 2

    done = [0, 0]

    def fail(k: int) -> None:
        with pytest.raises(ValueError):
            bad(argument(k))

    def work(k: int) -> None:
        good(argument(k))
        done[0] += 1

    def count(k: int) -> None:
        o.n += 1
        log.append(k)
        done[1] += 1
        time.sleep(0)

    together(fail, work, count)
    assert o.good == done[0] and o.n == done[1] == len(log)


class _Counter(threading.local):
    def __init__(self, start: int, log: list[Any]) -> None:
        log.append(start)
        self.count = start


def test_thread_locals() -> None:
    """Each thread has its own attributes of one object: read, assigned, made later, and of tensors."""
    own, log = threading.local(), list[Any]()
    counter = _Counter(10, log)

    @compiled
    def step(x: Any, k: int) -> Any:
        counter.count += 1
        own.total = own.total + x * own.scale
        own.last = k
        log_length = len(log)
        return own.total * getattr(own, "missing", 2) + counter.count + 0 * log_length

    def work(i: int, k: int) -> None:
        if k % 5 == 0:
            own.scale, own.total, counter.count = float(i + k), irtool.zeros(2), 100 * i
        y = step(irtool.ones(2), k)
        calls = k % 5 + 1
        scale = i + k - k % 5
        check(y, [2 * calls * scale + 100 * i + calls] * 2)
        check(own.total, [calls * scale] * 2)
        assert (own.last, counter.count) == (k, 100 * i + calls)

    together(*[functools.partial(work, i) for i in range(THREADS)])
    assert log == [10] * (1 + THREADS)  # once in each thread that uses it
    assert vars(own) == {}


def test_thread_locals_compile() -> None:
    """What reaches a thread's attributes has a program, which is used again."""
    own = threading.local()

    def f(x: Any) -> Any:
        own.seen = x
        return x * own.scale

    own.scale = 2.0
    step = compiled(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of calls that run uncompiled
        for scale in (2.0, 2.0, 3.0, 4.0):
            own.scale = scale
            check(step(irtool.ones(2)), [scale] * 2)
            check(own.seen, [1, 1])
    assert "mul" in str(step.trace(irtool.ones(2)))
