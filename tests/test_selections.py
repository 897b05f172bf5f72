"""x[mask] in compiled functions, where how many elements hold is not known."""

from __future__ import annotations

import os
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.nn import functional as F

TARGET = os.environ.get("IRTOOL_TEST_TARGET", "reference")


def both(function: Any, *args: Any) -> tuple[Any, Any]:
    """(result, gradient by the first argument), eager and compiled."""
    found: list[Any] = []
    for called in (function, irtool.compile(function, target=TARGET)):
        x = args[0].clone().requires_grad_()
        result = called(x, *args[1:])
        result.sum().backward()
        found.append((result.tolist(), x.grad.tolist()))
    return found[0], found[1]


def test_what_does_not_hold_makes_no_nan():
    x = irtool.tensor([4.0, -1.0, 0.0, 9.0])
    functions: tuple[Any, ...] = (
        lambda x: x[x > 0].sqrt().sum(),
        lambda x: (x[x > 0] / x[x > 0].log()).mean(),
        lambda x: (1 / x[x != 0]).sum(),
    )
    for function in functions:
        eager, compiled = both(function, x)
        assert compiled == eager


def test_reductions_of_each_row_see_only_what_holds():
    rows, chosen = [[1.0, 2.0, 4.0], [-np.inf] * 3, [3.0, 1.0, 1.0], [np.nan] * 3], irtool.tensor([1, 0, 1, 0]).bool()
    for function in (lambda x: x[chosen].logsumexp(1).sum(), lambda x: x[chosen].std(1).mean()):
        (eager, slope), (compiled, compiled_slope) = both(function, irtool.tensor(rows))
        assert compiled == pytest.approx(eager, rel=1e-5)
        np.testing.assert_allclose(compiled_slope, slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("order", [float("-inf"), -1, 1, 2, float("inf")])
def test_norms(order: float):
    x, chosen = irtool.tensor([3.0, 0.0, -2.0]), irtool.tensor([True, False, True])
    eager, compiled = both(lambda x: x[chosen].norm(order), x)
    assert compiled[0] == pytest.approx(eager[0], rel=1e-5)
    np.testing.assert_allclose(compiled[1], eager[1], rtol=1e-4)


def test_masks_that_are_made_twice_from_values_used_many_times_are_the_same():
    def mask(x: Any):
        for _ in range(40):
            x = x * x + x
        return x > -1

    x = irtool.tensor([0.01, -0.02])
    traced = irtool.compile(lambda x: (x[mask(x)] - x[mask(x)]).sum(), target=TARGET)
    assert traced(x).item() == 0


def test_losses_of_chosen_rows():
    irtool.manual_seed(0)
    scores, labels, chosen = irtool.randn(5, 3), irtool.tensor([0, 2, -1, 1, 9]), irtool.tensor([1, 1, 0, 1, 0]).bool()
    weight = irtool.tensor([1.0, 2.0, 3.0])
    functions: tuple[Any, ...] = (
        lambda x, y, m: F.cross_entropy(x[m], y[m]),
        lambda x, y, m: F.cross_entropy(x[m], y[m], weight=weight, label_smoothing=0.1),
        lambda x, y, m: F.nll_loss(x.log_softmax(1)[m], y[m], reduction="sum"),
        lambda x, y, m: F.mse_loss(x[m], F.one_hot(y.clamp(0, 2), 3).float()[m]),
        lambda x, y, m: F.linear(x[m], weight.reshape(1, 3)).relu().mean(),
        lambda x, y, m: x[m].std(0).sum() * (x[m].argmax(1) == y[m]).float().mean(),
    )
    for function in functions:
        (eager, slope), (compiled, compiled_slope) = both(function, scores, labels, chosen)
        assert compiled == pytest.approx(eager, rel=1e-5)
        np.testing.assert_allclose(compiled_slope, slope, rtol=1e-4, atol=1e-6)


def test_a_program_serves_every_mask():
    f = irtool.compile(lambda x, m: x[m].mean(), target=TARGET)
    x = irtool.arange(4.0)
    assert [f(x, irtool.tensor(m)).item() for m in ([True] * 4, [False, True, False, True])] == [1.5, 2.0]
    assert irtool.isnan(f(x, irtool.zeros(4).bool())) and len(f.programs()) == 1


REFUSED = {
    "its shape": lambda x, m: x[m],
    "another order": lambda x, m: x[m].sort()[0],
    "two masks": lambda x, m: (x[m] + x[~m]).sum(),
    "rows of its own": lambda x, m: (x[m] + x).sum(),
    "joining": lambda x, m: irtool.cat([x[m], x[m]]),
    "positions": lambda x, m: x[m].max(0),
    "iteration": lambda x, m: sum(x[m]),
    "its length": lambda x, m: len(x[m]),
    "a branch": lambda x, m: 1 if x[m] else 0,
    "a copy": lambda x, m: x[m].__setitem__(0, 1),
    "elsewhere": lambda x, m: x.__setitem__(0, x[m]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_asks_for_the_shape_is_refused_at_its_line(case: str):
    f = irtool.compile(REFUSED[case], target=TARGET)
    with pytest.raises(RuntimeError, match=r"needs the value(.|\n)*torch.where\(mask.*test_selections.py:\d+"):
        f(irtool.arange(3.0), irtool.tensor([True, False, True]))


def test_a_mask_written_out_is_known():
    f = irtool.compile(lambda x: (x[[True, False, True]], x[irtool.tensor([False, True, True])]), target=TARGET)
    a, b = f(irtool.arange(3.0))
    assert a.tolist() == [0, 2] and b.tolist() == [1, 2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, m: x[m.unsqueeze(2).expand_as(x)].view(-1, 4).softmax(1)[:, 0].sum(),
        lambda x, m: F.mse_loss(x[m].unsqueeze(-1).squeeze(-1), x[m].reshape(-1, 2, 2).flatten(1).detach() + 1),
        lambda x, m: (x[m].view(-1) * 2 + x[m].flatten()).sum(),
        lambda x, m: F.smooth_l1_loss(x[m.unsqueeze(2).expand_as(x)].view(-1, 4) * 2, x[m].detach()),
        lambda x, m: side_by_side(x[m][:, :2], x[m][:, 2:].exp()).prod(1).sum(),
        lambda x, m: irtool.max(x[m][:, 0], x[m][:, 1]).sum(),
        lambda x, m: x[irtool.where(m)].pow(2).mean(),
        lambda x, m: (x[:, :, 1][irtool.where(m)] - x[irtool.where(m)][:, 2]).abs().sum(),
        lambda x, m: x[0][m[0].nonzero().squeeze(1)].sum() + x[0, m[0].nonzero()[:, 0], 1].sum(),
    ],
)
def test_shapes_of_selections(function: Any):
    x = irtool.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32))
    mask = irtool.tensor([[True, False, True], [False, True, True]])
    (eager, slope), (compiled, compiled_slope) = both(function, x, mask)
    assert compiled == pytest.approx(eager, rel=1e-5)
    np.testing.assert_allclose(compiled_slope, slope, rtol=1e-5, atol=1e-6)


def side_by_side(*parts: Any):
    return irtool.cat(parts, dim=1)
