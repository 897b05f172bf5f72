"""While a function is traced that changes lists and dictionaries, other threads find these as they were."""

from __future__ import annotations

import functools
from collections import OrderedDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim

from .peek import Peek

compiled = functools.partial(irtool.compile, target="reference")

CASES: dict[str, Callable[[Peek], Callable[[Any], Any]]] = {}


def container(make: Callable[[], Any], change: Callable[[Any, Any], Any]) -> Callable[[Peek], Callable[[Any], Any]]:
    """A case that changes a list or dictionary which is an attribute."""

    def case(peek: Peek) -> Callable[[Any], Any]:
        o = SimpleNamespace(c=make())
        peek.look = lambda: o.c

        def f(x: Any) -> Any:
            found = change(o.c, x)
            peek()
            return found + len(o.c)

        return f

    return case


def assigned_entry(c: Any, x: Any) -> Any:
    c["h"] = c["h"] * 0.5 + x
    return c["h"] * 2


def new_entry(c: Any, x: Any) -> Any:
    c["k"] = x * 2
    return c["k"] + 1


def default_and_update(c: Any, x: Any) -> Any:
    h = c.setdefault("k", x * 2)
    c.update(g=x)
    return h + c["g"]


def assigned_element(c: Any, x: Any) -> Any:
    c[0] = c[0] * 0.5 + x
    return c[0] + 1


def appended(c: Any, x: Any) -> Any:
    c.append(x * 2)
    return irtool.stack(list(c)).sum(0)


def window(c: Any, x: Any) -> Any:
    c.append(x * 2)
    first = c.pop(0)
    return irtool.stack(c).sum(0) + first


def extended(c: Any, x: Any) -> Any:
    c += [x, x + 1]
    del c[0]
    return c[-1] + c[0]


def nested(c: Any, x: Any) -> Any:
    for inner in c.values():
        inner.append(x)
        inner[0] = inner[0] + x
    return c["a"][0] * 2 + len(c["a"])


def sorted_names(c: Any, x: Any) -> Any:
    c.append(f"{len(c)}")
    c.sort(reverse=True)
    return x * len(c[0])


for change, make in {
    assigned_entry: lambda: {"h": irtool.zeros(3)},
    new_entry: dict,
    default_and_update: dict,
    assigned_element: lambda: [irtool.zeros(3)],
    appended: lambda: [irtool.zeros(3)],
    window: lambda: [irtool.zeros(3)] * 3,
    extended: lambda: [irtool.zeros(3)],
    nested: lambda: {"a": [irtool.zeros(3)]},
    sorted_names: lambda: ["a"],
}.items():
    CASES[change.__name__] = container(make, change)
CASES["deque"] = container(lambda: deque([irtool.zeros(3)] * 3, maxlen=3), appended)


class Stateful(optim.Optimizer):
    """Keeps its state in all the ways that users do."""

    def __init__(self, parameters: Any, peek: Peek) -> None:
        super().__init__(parameters, {"lr": 0.1})
        self.peek, self.buffers, self.last = peek, {}, None

    @irtool.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            group["norm"] = group.get("norm", 0) * 0.5 + sum(p.grad.pow(2).sum() for p in group["params"])
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["t"], state["m"], state["past"] = 0, irtool.zeros_like(p), []
                state["t"] += 1
                state["m"] = state["m"] * 0.9 + p.grad
                state["past"].append(p.grad.clone())
                self.buffers[p] = self.buffers.get(p, 0) + p.grad
                self.last = p.grad.abs().max()
                p.data = p.data - group["lr"] * state["m"] / (1 + group["norm"] + state["t"])
        self.peek()


def optimizer(peek: Peek) -> Any:
    irtool.manual_seed(0)
    model = nn.Linear(3, 1, bias=False)
    own = Stateful(model.parameters(), peek)
    peek.look = lambda: (
        *([p, dict(state)] for p, state in own.state.items()),
        *({k: v for k, v in group.items() if k != "params"} for group in own.param_groups),
        *(own.last, [*own.buffers.values()], [*model.parameters()]),
    )

    def f(x: Any) -> Any:
        loss = model(x).pow(2).sum()
        own.zero_grad()
        loss.backward()
        own.step()
        return loss + own.param_groups[0]["norm"]

    return f


CASES["optimizer"] = optimizer


@pytest.mark.parametrize("name", CASES)
def test_other_threads_find_values(name: str) -> None:
    peek = Peek()
    eager, step = CASES[name](Peek()), compiled(CASES[name](peek))
    for k in range(3):
        x = irtool.full((3,), 1.0 + k)
        np.testing.assert_allclose(step(x).detach().numpy(), eager(x).detach().numpy(), rtol=1e-6)
    assert peek.calls


def test_containers_are_the_same_afterwards() -> None:
    """Traced code gets copies: what it returns, keeps or compares are the containers themselves."""
    o = SimpleNamespace(c=[1, 2], d={"a": [3]}, kept=None, pair=())

    @compiled
    def f(x: Any) -> Any:
        o.c.append(len(o.c))
        o.kept, o.pair = o.c, (o.d, [o.c])
        assert o.kept is o.c and o.c in o.pair[1]
        return x * 2, o.c, {"d": o.d["a"]}

    for k in range(3):
        _, c, found = f(irtool.ones(2))
        assert c is o.c and o.kept is o.c and o.pair[0] is o.d and o.pair[1][0] is o.c and found["d"] is o.d["a"]
        assert o.c == [1, 2, *range(2, 3 + k)] and o.d == {"a": [3]}


def test_a_failed_call_leaves_containers_alone() -> None:
    o = SimpleNamespace(c=[1, 2], d={"a": [3]})

    @compiled
    def f(x: Any) -> Any:
        o.c.append(x)
        o.d["a"].insert(0, len(o.c))
        del o.c[0]
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        f(irtool.ones(2))
    assert o.c == [1, 2] and o.d == {"a": [3]}


def test_orders_of_keys() -> None:
    o = SimpleNamespace(c=OrderedDict(a=1, b=2), d={"a": 1, "b": 2})

    @compiled
    def f(x: Any) -> Any:
        o.c.move_to_end("a" if next(iter(o.c)) == "a" else "b")
        o.d["a"] = x.sum() * o.d.pop("a")
        return x

    f(irtool.ones(2))
    assert [*o.c] == ["b", "a"] and [*o.d] == ["b", "a"] and o.d["a"].item() == 2


def test_memory_of_what_is_replaced() -> None:
    """An entry that is replaced shares no memory any more: one program serves all calls."""
    w, state = irtool.ones(3), dict[str, Any](old=irtool.zeros(3))

    @compiled
    def f(x: Any) -> Any:
        state["old"] = w.data.clone()
        w.add_(x)
        w.data = state["old"]
        return w * 1

    for _ in range(4):
        np.testing.assert_allclose(f(irtool.ones(3)).numpy(), np.ones(3))
    assert len(f.programs()) <= 2
