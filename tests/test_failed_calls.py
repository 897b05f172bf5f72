"""A compiled call that raises leaves all as it was before it, whatever the function had done up to there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import optim

from .random_programs.compare import described, differences
from .random_programs.state import State, values

STATEMENTS = {
    "a step": "m.opt.zero_grad(); (m.weight * m.other).sum().backward(); m.opt.step()",
    "gradients": "(m.weight * m.other).sum().backward()",
    "gradients that go": "m.weight.grad = None; m.other.grad = torch.ones(2, 3)",
    "a write to a parameter": "m.weight.data.mul_(2)",
    "a write to an argument": "x.mul_(2)",
    "a write to a view of it": "x[1:].t().add_(1)",
    "a write to a buffer": "m.buffer.add_(1); m.norm(x)",
    "a new tensor in an attribute": "m.last = x * 2; m.total = m.total + 1",
    "numbers in attributes": "m.count += 1; m.rate *= 2; m.flag = not m.flag",
    "containers": "m.kept.append(x * 2); m.table['new'] = x; m.names.reverse(); m.table.pop('k', None)",
    "random numbers": "m.last = torch.rand(3); x.uniform_()",
    "requires_grad": "m.other.requires_grad_(False); x.requires_grad_()",
    "a mode": "m.net.eval()",
}
FAULTS = ("raise ValueError('stop')", "torch.ones(2) + torch.ones(3)", "m.missing", "1 / 0")


def failing(statement: str, fault: str, m: State) -> Callable[..., Any]:
    found: dict[str, Any] = {"m": m, "torch": irtool}
    exec(f"def f(x, fail):\n    {statement}\n    if fail:\n        {fault}\n    return x * 2\n", found)
    return found["f"]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_is_half_done(statement: str) -> None:
    for number, fault in enumerate(FAULTS):
        m = State(lambda ps: optim.Adam(ps, lr=0.1))
        f = irtool.compile(failing(STATEMENTS[statement], fault, m), target="reference")
        if number % 2:  # once a program is there
            f(values((2, 3), 7), False)
        x = values((2, 3), 8)
        things = {"m": m, "x": x, "random": irtool.get_rng_state()}
        before = described(things)
        with pytest.raises((ValueError, RuntimeError, AttributeError, ZeroDivisionError)):
            f(x, True)
        things["random"] = irtool.get_rng_state()
        assert not differences(before, described(things)), fault


def test_the_next_call_goes_on_from_there() -> None:
    losses: dict[str, list[float]] = {}
    for mode in ("never failing", "failing"):
        m = State(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9))
        f = irtool.compile(failing(STATEMENTS["a step"], FAULTS[0], m), target="reference")
        found = losses[mode] = []
        for k in range(4):
            if mode == "failing" and k in (0, 2):
                with pytest.raises(ValueError, match="stop"):
                    f(values((2, 3), k), True)
            f(values((2, 3), k), False)
            found.append((m.weight * m.other).sum().item())
    assert losses["failing"] == losses["never failing"]
