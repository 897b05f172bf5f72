"""The state of an optimizer: programs look at it again when it was changed, in whatever way."""

from __future__ import annotations

import copy
import pickle
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import optim
from irtool.frontend import mutations
from irtool.frontend.mutations import CountedDefaultDict, CountedDict

CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda d: d.__setitem__("b", 2),
    "delete": lambda d: d.__delitem__("a"),
    "update": lambda d: d.update(b=2),
    "or": lambda d: d.__ior__({"b": 2}),
    "setdefault": lambda d: d.setdefault("b", 2),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "clear": lambda d: d.clear(),
}


@pytest.mark.parametrize("make", [CountedDict, lambda **entries: CountedDefaultDict(dict, **entries)])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_counted(make: Any, change: str) -> None:
    counted, plain = make(a=1), {"a": 1}
    before = mutations.count
    CHANGES[change](counted)
    CHANGES[change](plain)
    assert counted == plain and mutations.count != before


def test_missing_entries_are_counted() -> None:
    state = CountedDefaultDict(dict)
    before = mutations.count
    assert state["a"] == {} and mutations.count != before
    assert repr(state) == repr(defaultdict(dict, {"a": {}}))
    for other in (copy.copy(state), copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
        assert type(other) is CountedDefaultDict and other == state and other["b"] == {}


@pytest.mark.parametrize("how", ["item", "update", "state", "pop"])
def test_a_compiled_step_sees_that_state_was_replaced(how: str) -> None:
    def train(wrap: Callable[[Any], Any]) -> list[float]:
        w = irtool.tensor([1.0, -2.0], requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

        def step() -> None:
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()

        run = wrap(step)
        for _ in range(3):
            run()
        new = irtool.tensor([5.0, 5.0])
        if how == "item":
            optimizer.state[w]["momentum_buffer"] = new
        elif how == "update":
            optimizer.state[w].update(momentum_buffer=new)
        elif how == "state":
            optimizer.state[w] = {"momentum_buffer": new}
        else:
            optimizer.state.pop(w)
        for _ in range(3):
            run()
        return w.tolist()

    assert train(irtool.compile) == pytest.approx(train(lambda step: step))
