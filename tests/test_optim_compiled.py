"""Optimizers inside compiled functions: state made once, kept true, taken back when tracing fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim


class Setup:
    """A small model and optimizer, the same each time."""

    def __init__(self, optimizer: Callable[[Any], optim.Optimizer] = lambda p: optim.Adam(p, lr=0.05)) -> None:
        irtool.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        self.optimizer = optimizer(self.model.parameters())
        rng = np.random.default_rng(0)
        self.batches = [irtool.from_numpy(rng.standard_normal((5, 3)).astype(np.float32)) for _ in range(4)]

    def loss(self, x: Any) -> Any:
        return (self.model(x) ** 2).mean()

    def values(self) -> list[Any]:
        return [p.tolist() for p in self.model.parameters()]


def same_as_eager(run: Callable[[Setup, Callable[[Any], Any]], Any], **options: Any) -> None:
    """Runs a script twice, with compiling and without, and compares parameters and state."""
    eager, compiled = Setup(**options), Setup(**options)
    run(eager, lambda f: f)
    run(compiled, irtool.compile)
    for p, q in zip(eager.model.parameters(), compiled.model.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=1e-5, atol=1e-6)
        for key, value in eager.optimizer.state.get(p, {}).items():
            np.testing.assert_allclose(
                compiled.optimizer.state[q][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-7, err_msg=key
            )


def plain_step(s: Setup) -> Callable[[Any], Any]:
    def step(x: Any) -> Any:
        loss = s.loss(x)
        s.optimizer.zero_grad()
        loss.backward()
        s.optimizer.step()
        return loss

    return step


def test_state_counts_the_steps() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        for x in s.batches:
            step(x)
        assert {state["step"].item() for state in s.optimizer.state.values()} == {4.0}

    same_as_eager(run)


def test_two_steps_in_one_function() -> None:
    def run(s: Setup, wrap: Any) -> None:
        one = plain_step(s)

        def step(x: Any, y: Any) -> Any:
            return one(x) + one(y)

        step = wrap(step)
        step(*s.batches[:2])
        step(*s.batches[2:])
        assert {state["step"].item() for state in s.optimizer.state.values()} == {4.0}

    same_as_eager(run)


def test_accumulated_and_clipped_gradients() -> None:
    def run(s: Setup, wrap: Any) -> None:
        def step(x: Any, y: Any) -> Any:
            s.optimizer.zero_grad()
            (s.loss(x) * 100).backward()
            (s.loss(y) * 100).backward()
            norm = nn.utils.clip_grad_norm_(s.model.parameters(), 1.0)
            s.optimizer.step()
            return norm

        step = wrap(step)
        first = step(*s.batches[:2]).item()
        assert first > 1.0
        step(*s.batches[2:])

    same_as_eager(run)


def test_gradients_made_outside() -> None:
    def run(s: Setup, wrap: Any) -> None:
        update = wrap(s.optimizer.step)
        for x in s.batches:
            s.optimizer.zero_grad()
            s.loss(x).backward()
            update()

    same_as_eager(run)


def test_a_closure_inside() -> None:
    def run(s: Setup, wrap: Any) -> None:
        def step(x: Any) -> Any:
            def closure() -> Any:
                s.optimizer.zero_grad()
                loss = s.loss(x)
                loss.backward()
                return loss

            return s.optimizer.step(closure)

        step = wrap(step)
        for x in s.batches:
            step(x)

    same_as_eager(run)


def test_groups_added_later_and_options_changed() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        step(s.batches[0])
        s.optimizer.param_groups[0]["lr"] = 0.5
        step(s.batches[1])
        s.optimizer.param_groups[0]["weight_decay"] = 0.3
        step(s.batches[2])
        extra = nn.Linear(2, 2)
        with irtool.no_grad():
            for p in extra.parameters():
                p.fill_(0.25)
        s.model.append(extra)
        s.optimizer.add_param_group({"params": list(extra.parameters()), "lr": 0.01})
        step(s.batches[3])
        step(s.batches[0])

    same_as_eager(run)


def test_a_state_loaded_between_calls() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        for x in s.batches[:3]:
            step(x)
        saved = {k: v.clone() for k, v in s.model.state_dict().items()}, s.optimizer.state_dict()
        other = Setup()
        other.model.load_state_dict(saved[0])
        other.optimizer.load_state_dict(saved[1])
        resumed = wrap(plain_step(other))
        resumed(s.batches[3])
        step(s.batches[3])
        np.testing.assert_allclose(
            np.concatenate([np.ravel(v) for v in other.values()]),
            np.concatenate([np.ravel(v) for v in s.values()]),
            rtol=1e-6,
        )
        s.optimizer.load_state_dict(saved[1])
        step(s.batches[0])

    same_as_eager(run)


def test_frozen_parameters_stay() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        step(s.batches[0])
        s.model[0].requires_grad_(False)
        before = s.model[0].weight.tolist()
        step(s.batches[1])
        step(s.batches[2])
        assert s.model[0].weight.tolist() == before
        s.model[0].requires_grad_(True)
        step(s.batches[3])

    same_as_eager(run)


def test_a_rate_in_a_tensor() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        step(s.batches[0])
        s.optimizer.param_groups[0]["lr"].fill_(0.5)
        step(s.batches[1])

    same_as_eager(run, optimizer=lambda p: optim.SGD(p, lr=irtool.tensor(0.1)))


def test_two_optimizers() -> None:
    def run(s: Setup, wrap: Any) -> None:
        first = optim.SGD(s.model[0].parameters(), lr=0.1, momentum=0.9)
        second = optim.AdamW(s.model[2].parameters(), lr=0.01)

        def step(x: Any) -> Any:
            first.zero_grad()
            second.zero_grad()
            loss = s.loss(x)
            loss.backward()
            first.step()
            second.step()
            return loss

        step = wrap(step)
        for x in s.batches:
            step(x)

    same_as_eager(run)


def test_a_failed_trace_leaves_no_state() -> None:
    s = Setup()
    before = s.values()

    def step(x: Any) -> Any:
        loss = s.loss(x)
        loss.backward()
        s.optimizer.step()
        raise KeyError("late")

    with pytest.raises(KeyError, match="late"):
        irtool.compile(step)(s.batches[0])
    assert not s.optimizer.state
    assert s.values() == before
    assert all(p.grad is None for p in s.model.parameters())


def test_a_failed_trace_counts_nothing() -> None:
    s = Setup()
    good = plain_step(s)
    good(s.batches[0])

    def step(x: Any) -> Any:
        good(x)
        raise KeyError("late")

    with pytest.raises(KeyError, match="late"):
        irtool.compile(step)(s.batches[0])
    assert {state["step"].item() for state in s.optimizer.state.values()} == {1.0}


@pytest.mark.filterwarnings("ignore:.grad reads None")
def test_gradients_are_used_up_unless_kept() -> None:
    for keep in (False, True):
        s = Setup()
        irtool.compile(plain_step(s), keep_gradients=keep)(s.batches[0])
        assert all((p.grad is not None) == keep for p in s.model.parameters())


def test_changing_the_rate_keeps_the_program() -> None:
    s = Setup()
    step = irtool.compile(plain_step(s))
    scheduler = optim.lr_scheduler.CosineAnnealingLR(s.optimizer, 10)
    for x in s.batches:
        step(x)
        scheduler.step()
    assert len(step.programs()) == 1


class Reading(optim.Adam):
    """Reads the library's count before, between and after steps."""

    def step(self, closure: Any = None) -> Any:
        p = self.param_groups[0]["params"][0]
        before = self.state[p]["step"] * 1 if self.state[p] else irtool.zeros(())
        super().step(closure)
        count = self.state[p]["step"]
        p.data.mul_(1 - 0.1 / count)
        self.seen = count + 100 * before
        loss = super().step(closure)
        self.seen_last = self.state[p]["step"] * 1
        return loss


def test_counts_are_read_while_tracing() -> None:
    def run(s: Setup, wrap: Any) -> None:
        step = wrap(plain_step(s))
        optimizer: Any = s.optimizer
        for k, x in enumerate(s.batches):
            step(x)
            assert optimizer.seen.item() == 2 * k + 1 + 200 * k
            assert optimizer.seen_last.item() == 2 * k + 2
        assert {state["step"].item() for state in s.optimizer.state.values()} == {8.0}

    same_as_eager(run, optimizer=lambda p: Reading(p, lr=0.05))
