"""Optimizers and learning-rate schedulers against PyTorch's numbers; groups, state and options."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim

from .golden import GOLDEN, cases


@pytest.mark.parametrize("name", list(cases.OPTIMIZERS))
def test_updates_are_those_of_pytorch(name: str) -> None:
    np.testing.assert_allclose(cases.optimizer_values(irtool, name), GOLDEN["optimizers"][name], rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", list(cases.SCHEDULES))
def test_schedules_are_those_of_pytorch(name: str) -> None:
    np.testing.assert_allclose(cases.schedule(irtool, name), GOLDEN["schedules"][name], rtol=1e-8, atol=1e-12)


def parameters(count: int = 2) -> list[nn.Parameter]:
    made = [nn.Parameter(irtool.full((2,), float(i + 1))) for i in range(count)]
    for p in made:
        p.grad = irtool.ones(2)
    return made


def test_groups_have_options_of_their_own() -> None:
    a, b = parameters()
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.5)
    optimizer.step()
    assert a.tolist() == [0.5, 0.5]
    assert b.tolist() == [1.0, 1.0]
    (c,) = parameters(1)
    optimizer.add_param_group({"params": [c], "momentum": 0.9})
    assert [g["momentum"] for g in optimizer.param_groups] == [0, 0, 0.9]


def test_named_parameters_are_taken() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
        (lambda p: optim.SGD(p[0], lr=0.1), TypeError, "params argument given to the optimizer should be an iterable"),
        (lambda p: optim.SGD([1.0], lr=0.1), TypeError, "optimizer can only optimize Tensors, but one of the params"),
        (lambda p: optim.SGD([p[0] * 2], lr=0.1), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda p: optim.SGD(p, lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda p: optim.SGD(p, nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
        (lambda p: optim.Adam(p, betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
        (lambda p: optim.SGD([{"params": p}, {"params": p}]), ValueError, "some parameters appear in more than one"),
        (lambda p: optim.SGD(p, fast=True), TypeError, "unexpected keyword argument 'fast'"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(parameters())


def test_printed_form() -> None:
    assert repr(optim.SGD(parameters(), lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


def test_zero_grad() -> None:
    a, b = parameters()
    optimizer = optim.SGD([a, b])
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert a.grad is None
    assert b.grad is None


def test_a_closure_is_called_with_gradients_on() -> None:
    (p,) = parameters(1)
    optimizer = optim.SGD([p], lr=0.5)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with irtool.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 2.0
    assert p.tolist() == [0.0, 0.0]


def test_state_goes_to_another_optimizer() -> None:
    first, second = parameters(), parameters()
    before = optim.Adam(first, lr=0.1)
    after = optim.Adam(second, lr=0.7)
    for _ in range(3):
        before.step()
    state = before.state_dict()
    assert state["param_groups"][0]["params"] == [0, 1]
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert state["state"][1]["step"].item() == 3.0
    for p, q in zip(first, second, strict=True):
        with irtool.no_grad():
            q.copy_(p)
    after.load_state_dict(state)
    before.step()
    after.step()
    assert [p.tolist() for p in first] == [p.tolist() for p in second]
    assert after.param_groups[0]["lr"] == 0.1
    # What was loaded is a copy.
    assert after.state[second[0]]["exp_avg"] is not before.state[first[0]]["exp_avg"]


def test_state_of_another_shape_is_refused() -> None:
    state = optim.SGD(parameters(2)).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.SGD(parameters(1)).load_state_dict(state)


def test_hooks_run_around_a_step() -> None:
    optimizer = optim.SGD(parameters(), lr=0.1)
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    handle = optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert seen == ["before", "after", "before"]


def test_a_scheduler_goes_on_from_its_state() -> None:
    def make() -> tuple[optim.Optimizer, Any]:
        optimizer = optim.SGD(parameters(), lr=1.0)
        return optimizer, optim.lr_scheduler.StepLR(optimizer, 2)

    first, before = make()
    for _ in range(3):
        before.step()
    second, after = make()
    second.load_state_dict(first.state_dict())
    after.load_state_dict(before.state_dict())
    before.step()
    after.step()
    assert after.get_last_lr() == before.get_last_lr() == [pytest.approx(0.01)]


def quadratic(optimizer_class: Any, options: dict[str, Any], compiled: bool, change: Any = None) -> Any:
    """(values, compiled step): six updates of two parameters."""
    params = parameters()
    optimizer = optimizer_class(params, **options)
    scheduler = None if change is None else change(optimizer)

    def step(target: Any) -> Any:
        optimizer.zero_grad()
        loss = ((params[0] - target) ** 2).sum() + (params[1] * params[0]).sum()
        loss.backward()
        optimizer.step()
        return loss

    run: Any = irtool.compile(step) if compiled else step
    values = []
    for _ in range(6):
        values.append(run(irtool.tensor([0.5, -0.5])).item())
        if scheduler is not None:
            scheduler.step()
    return [*values, *params[0].tolist(), *params[1].tolist()], run


@pytest.mark.parametrize("name", list(cases.OPTIMIZERS))
def test_compiled_updates_are_the_eager_ones(name: str) -> None:
    kind, options = cases.OPTIMIZERS[name]
    eager, _ = quadratic(getattr(optim, kind), options, compiled=False)
    found, step = quadratic(getattr(optim, kind), options, compiled=True)
    np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-6)
    assert len(step.programs()) == 1


@pytest.mark.parametrize("name", ["sgd_momentum", "adam"])
def test_changing_rates_and_momenta_recompiles_nothing(name: str) -> None:
    kind, options = cases.OPTIMIZERS[name]

    def change(optimizer: optim.Optimizer) -> Any:
        return optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=8)

    eager, _ = quadratic(getattr(optim, kind), options, compiled=False, change=change)
    found, step = quadratic(getattr(optim, kind), options, compiled=True, change=change)
    np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-6)
    assert len(step.programs()) == 1


def test_a_parameter_without_gradient_falls_behind_alone() -> None:
    a, b = parameters()
    optimizer = optim.Adam([a, b])
    optimizer.step()
    assert optimizer.state[a]["step"] is optimizer.state[b]["step"]
    b.grad = None
    optimizer.step()
    assert optimizer.state[a]["step"].item() == 2
    assert optimizer.state[b]["step"].item() == 1


def test_a_custom_optimizer_works_as_in_pytorch() -> None:
    class Signed(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @irtool.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state.setdefault("steps", 0)
                    state["steps"] += 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    (p,) = parameters(1)
    optimizer = Signed([p], lr=0.25)
    optimizer.step()
    assert p.tolist() == [0.75, 0.75]
    assert optimizer.state_dict()["state"] == {0: {"steps": 1}}


def test_hooks_on_the_state() -> None:
    (p,) = parameters(1)
    optimizer = optim.SGD([p], lr=0.1)
    calls: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("before saving"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(f"loading {state['more']}"))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["before saving", "loading 1", "loaded"]


@pytest.mark.parametrize("wrap", [lambda f: f, irtool.compile], ids=["eager", "compiled"])
def test_averaged_models(wrap: Any) -> None:
    model = irtool.nn.Linear(2, 1)
    mean = optim.swa_utils.AveragedModel(model)
    moving = optim.swa_utils.AveragedModel(model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.9))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        mean.update_parameters(model)
        moving.update_parameters(model)

    step = wrap(step)
    expected, weights = None, []
    for _ in range(3):
        step(irtool.ones(3, 2))
        weights.append(model.weight.detach().numpy().copy())
        expected = weights[-1] if expected is None else 0.9 * expected + 0.1 * weights[-1]
    np.testing.assert_allclose(mean.module.weight.detach().numpy(), np.mean(weights, 0), 1e-5)
    np.testing.assert_allclose(moving.module.weight.detach().numpy(), expected, 1e-5)
    assert mean.n_averaged.item() == 3
    assert list(mean.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


def test_update_bn_takes_statistics_anew() -> None:
    model = irtool.nn.Sequential(irtool.nn.BatchNorm1d(2)).eval()
    data = irtool.randn(8, 2) * 3 + 1
    optim.swa_utils.update_bn([(data[:4], 0), (data[4:], 1)], model)
    np.testing.assert_allclose(model[0].running_mean.numpy(), data.mean(0).numpy(), 1e-5)
    assert not model.training and model[0].momentum == 0.1


@pytest.mark.parametrize("name", list(cases.LBFGS))
def test_lbfgs_goes_where_pytorch_goes(name: str) -> None:
    np.testing.assert_allclose(cases.lbfgs_losses(irtool, name), GOLDEN["lbfgs"][name], 1e-3)


def test_lbfgs_asks_for_what_it_needs() -> None:
    (p,) = parameters(1)
    optimizer = optim.LBFGS([p])
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'closure'"):
        optimizer.step()
    with pytest.raises(RuntimeError, match="outside of the compiled function, and compile the closure"):
        irtool.compile(lambda: optimizer.step(lambda: p.sum()))()
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS([p], line_search_fn="wolfe")
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS([{"params": [p]}, {"params": parameters(1)}])
