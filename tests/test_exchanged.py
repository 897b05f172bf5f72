"""Tensors that a compiled function reads and replaces, under one name or several."""

from __future__ import annotations

import functools
import os
from collections import deque
from types import SimpleNamespace

import irtool
import pytest

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


class Kept:
    """Attributes."""


def under_two_names():
    s = Kept()
    s.current = s.best = irtool.ones(2)

    def f(x):
        s.current.add_(x)
        found = s.best * 1
        s.best = s.best + 1
        return found

    return f, lambda: (s.current, s.best)


def as_one_again():
    s = Kept()
    s.a = s.b = irtool.ones(2)

    def f(x):
        before = s.a + s.b
        s.a.add_(x)
        after = s.b * 2
        s.a = s.a * 1
        s.b = s.a
        return before + after

    return f, lambda: (s.a, s.b)


def moved_on():
    s = Kept()
    s.last, s.one_before = irtool.zeros(2), irtool.zeros(2)

    def f(x):
        found = x + s.last * 2 + s.one_before * 3
        s.one_before, s.last = s.last, x * 1
        return found

    return f, lambda: (s.last, s.one_before)


def moved_in_a_deque():
    queue = deque([irtool.zeros(2) for _ in range(3)], maxlen=3)

    def f(x):
        found = queue[0] + x
        queue.append(x * 2)
        return found

    return f, lambda: tuple(queue)


REPLACED = [(under_two_names, 2), (as_one_again, 4), (moved_on, 1), (moved_in_a_deque, 1)]


@pytest.mark.parametrize(("make", "programs"), REPLACED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_read_and_replaced_may_have_other_names(make, programs):
    def outcome(wrap):
        f, look = make()
        f = wrap(f)
        found = [(f(irtool.full((2,), k)).tolist(), [t.tolist() for t in look()]) for k in (1.0, 2.0, 3.0, 4.0)]
        assert wrap is not compiled or len(f.programs()) <= programs
        return found

    assert outcome(compiled) == outcome(lambda f: f)


def test_any_number_of_places_is_found_out_about_in_a_few_traces():
    state, history, runs = {k: irtool.zeros(1) for k in range(100)}, [[] for _ in range(100)], []

    @compiled
    def f(x):
        runs.append(0)
        for k in state:
            state[k] = state[k] * 0.5 + x
            history[k].append(x * k)
            if len(history[k]) > 2:
                history[k].pop(0)
        return sum(state.values())

    assert [f(irtool.ones(1)).item() for _ in range(3)] == [100.0, 150.0, 175.0]
    assert [len(h) for h in history] == [2] * 100


def _swapped(h, x):
    a, b = h.s
    h.s = (b, a + x)
    return a.sum()


def _looped(h, x):
    total = 0
    for part in h.s:
        total = total + part
    h.s = tuple(part + x for part in h.s)
    return total.sum()


def _by_number(h, x):
    h.s = (h.s[1], h.s[0] + x)
    return h.s[0].sum()


@pytest.mark.parametrize("body", [_swapped, _looped, _by_number])
def test_tuples_of_state_are_read_anew_however_they_are_taken_apart(body):
    def losses(compile):
        h = SimpleNamespace(s=(irtool.zeros(2), irtool.ones(2)))
        f = compile(lambda x: body(h, x))
        return [f(irtool.ones(2)).item() for _ in range(5)], [t.tolist() for t in h.s]

    assert losses(compiled) == losses(lambda f: f)


@pytest.mark.parametrize(
    "body",
    [
        "s.h.add_(x)",
        "s.h = s.h + x; s.h.mul_(2)",
        "x.add_(1); s.h = s.h + x",
        "s.h = x + s.h; x.mul_(s.h)",
        "y = x * 3; s.parts[0].add_(2); s.h = s.parts[0]; x = y + x",
    ],
)
def test_arguments_that_are_state_or_share_its_memory(body):
    """Also where they have been others in earlier calls."""

    def run(wrap):
        s = SimpleNamespace(h=irtool.ones(2), parts=[irtool.zeros(2)])
        scope = {"s": s}
        exec(f"def f(x):\n    {body}\n    return x * 1 + s.h", scope)
        step, found = wrap(scope["f"]), []
        given = [lambda: irtool.ones(2), lambda: s.h, lambda: s.parts[0], lambda: s.h[:], lambda: s.h.detach()]
        for k in range(7):
            s.parts[0] = irtool.full((2,), float(k))
            x = given[k % 5]()
            found.append([t.tolist() for t in (step(x), s.h, x, s.parts[0])])
        return found

    assert run(compiled) == run(lambda f: f)
