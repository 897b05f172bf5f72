"""Functions of large packages, most of which a step never runs: what is not run is not looked into."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import irtool
import pytest
from irtool import nn, optim
from irtool.frontend.compiling import extensions, instrument

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
REGISTERED: dict[str, Any] = {}


def package(count: int) -> dict[str, Any]:
    """A chain of functions that may call one another, of which numbers 0, 400 and 800 run."""
    names: dict[str, Any] = {"__name__": "large_package", "w": None, "calls": 0, "scale": 2.0}
    lines: list[str] = []
    for k in range(count):
        body = f"f{k + 400}(x)" if k in (0, 400) else "x * scale * w"
        extra = "global calls; calls += 1; " if k == 800 else ""
        lines.append(f"def f{k}(x):\n    {extra}return {body} if x.attribute{k} is None else f{(k + 1) % count}(x)")
    exec("\n".join(lines), names)  # pyright: ignore
    return names


class Missing:
    """A tensor, and an attribute for each name."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __getattr__(self, name: str) -> Any:
        return None

    def __mul__(self, other: Any) -> Any:
        return self.x * other


@pytest.fixture
def instrumented(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The codes that get hooks."""
    seen: list[Any] = []
    before = instrument._instrumented
    monkeypatch.setattr(instrument, "_instrumented", lambda code: (seen.append(code), before(code))[1])
    return seen


def test_functions_that_do_not_run_are_not_instrumented(instrumented: list[Any]) -> None:
    names = package(1200)
    names["w"] = irtool.ones(3)
    f0 = names["f0"]
    f = compiled(lambda x: f0(Missing(x)))
    for scale in (2.0, 2.0, 3.0):
        names["scale"] = scale
        assert f(irtool.ones(3)).tolist() == [scale] * 3
    names["w"] = irtool.full((3,), 5.0)
    assert f(irtool.ones(3)).tolist() == [15.0] * 3
    assert names["calls"] == 4
    assert len([code for code in instrumented if code.co_name.startswith("f")]) < 20


def test_a_step_whose_functions_are_found_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irtool.frontend.compiling.discovery.AHEAD", 1)
    losses: list[list[float]] = []
    for wrap in (lambda f: f, compiled):
        irtool.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        optimizer = optim.Adam(model.parameters(), 0.1)

        def forward(x: Any, model: Any = model) -> Any:
            return model(x).square().mean()

        def update(loss: Any, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        def step(x: Any, forward: Any = forward, update: Any = update) -> Any:
            loss = forward(x)
            update(loss)
            return loss

        run = wrap(step)
        losses.append([run(irtool.ones(2, 3)).item() for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_functions_in_c_that_call_back_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extensions.EXTENSIONS, "sys", extensions.Extension(frozenset(), True, (__name__, "REGISTERED")))
    o: Any = type("O", (), {})()
    o.scale = 2.0
    REGISTERED["scaled"] = lambda x: x * o.scale
    f = compiled(lambda x: sys.call_tracing(lambda y: REGISTERED["scaled"](y) + 1, (x,)))
    for scale in (2.0, 2.0, 3.0):
        o.scale = scale
        assert f(irtool.ones(2)).tolist() == [scale + 1] * 2
    assert f.programs()
    REGISTERED["scaled"] = lambda x: x * 7
    assert f(irtool.ones(2)).tolist() == [8.0, 8.0]
