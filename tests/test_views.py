"""Views, and writes through them, eager and traced alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor

Step = Callable[[Tensor], Tensor]

STEPS: dict[str, Step] = {
    "transpose": lambda x: x.transpose(0, 1),
    "slice": lambda x: x[1:, ::2],
    "row": lambda x: x[1],
    "column": lambda x: x[:, 2],
    "reshape": lambda x: x.view(-1),
    "split": lambda x: x.view(2, 2, 6),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "narrow": lambda x: x.narrow(1, 1, 3),
    "chunk": lambda x: x.chunk(2, dim=1)[1],
    "permuted": lambda x: x.view(2, 2, 6).permute(2, 0, 1),
    "slice of transpose": lambda x: x.t()[1:4:2],
    "row of slice": lambda x: x[::2, 1:][1],
    "flat slice": lambda x: x.view(-1)[3:17:4],
    "reshape of slice": lambda x: x[1:3].view(3, 4),
    "nothing": lambda x: x[1:1],
    "diagonal": lambda x: x.view(-1)[::7],
}


def base() -> Tensor:
    return irtool.arange(24.0).view(4, 6).clone()


def as_numpy(step: Step) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The base and the view of it, as arrays that share memory; the step is taken on positions."""
    positions = step(irtool.arange(24).view(4, 6)).numpy()
    array = np.arange(24, dtype=np.float32)
    return array, positions


@pytest.mark.parametrize("name", STEPS)
def test_writes_through_a_view_reach_the_base(name: str) -> None:
    step = STEPS[name]

    def write(x: Tensor) -> Tensor:
        y = step(x)
        y.mul_(10)
        y += 1
        return y

    array, positions = as_numpy(step)
    array[positions] = array[positions] * 10 + 1
    for function in (write, irtool.compile(write, target="reference")):
        x = base()
        y = function(x)
        assert x.view(-1).tolist() == array.tolist()
        assert y.tolist() == array[positions].tolist()


@pytest.mark.parametrize("name", STEPS)
def test_writes_to_the_base_reach_a_view(name: str) -> None:
    step = STEPS[name]

    def write(x: Tensor) -> Tensor:
        y = step(x)
        x.add_(100)
        x[2, 3] = -1
        return y * 1

    array, positions = as_numpy(step)
    array += 100
    array[2 * 6 + 3] = -1
    for function in (write, irtool.compile(write, target="reference")):
        assert function(base()).tolist() == array[positions].tolist()


@pytest.mark.parametrize("name", STEPS)
def test_gradients_through_a_written_view(name: str) -> None:
    step = STEPS[name]
    weights = irtool.arange(24.0).view(4, 6) + 1

    def loss(x: Tensor) -> Tensor:
        y = x * 1
        part = step(y)
        part.mul_(3)
        return (y * y * weights).sum()

    def gradient(x: Tensor) -> Tensor:
        (found,) = irtool.autograd.grad(loss(x), x)
        return found

    factor = np.ones(24)
    factor[as_numpy(step)[1]] = 9
    expected = 2 * factor * np.arange(24) * np.arange(1, 25)
    for function in (gradient, irtool.compile(gradient, target="reference")):
        assert function(base().requires_grad_()).view(-1).tolist() == expected.tolist()


def test_views_share_memory_and_copies_do_not() -> None:
    x = base()
    for view in (x.view(-1), x.t(), x[1:], x[0], x.reshape(6, 4), x.expand(2, 4, 6), x.detach(), x.data, x.squeeze()):
        assert view.data_ptr() >= x.data_ptr() and np.shares_memory(view.numpy(), x.numpy())
    for copy in (x.clone(), x.t().reshape(-1), x.flip(0), x.repeat(1, 1), x[[0, 1]], x + 0, x.t().contiguous()):
        assert not np.shares_memory(copy.detach().numpy(), x.numpy())


def test_reshape_copies_where_view_refuses() -> None:
    x = base()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.t().view(-1)
    flat = x.t().reshape(-1)
    flat.zero_()
    assert x.sum().item() == sum(range(24))


def test_numpy_shares_memory_both_ways() -> None:
    x = irtool.zeros(3)
    array = x.numpy()
    x += 1
    assert array.tolist() == [1.0, 1.0, 1.0]
    array[0] = 5
    assert x.tolist() == [5.0, 1.0, 1.0]
    given = np.zeros(2, np.float32)
    y = irtool.from_numpy(given)
    y[1] = 7
    assert given.tolist() == [0.0, 7.0]
    assert irtool.tensor(given).add_(1) is not None and given.tolist() == [0.0, 7.0]


def test_overlapping_elements_cannot_be_written() -> None:
    x = irtool.zeros(1, 3).expand(2, 3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        x += 1
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        irtool.compile(lambda y: y.expand(2, 3).add_(1), target="reference")(irtool.zeros(1, 3))


def test_overlapping_reads_and_writes() -> None:
    x = irtool.arange(5.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]


def test_versions_count_writes() -> None:
    x = base()
    before = x._storage.version
    x.t().add_(1)
    x[0] = 1
    assert x._storage.version == before + 2
    assert x._storage is x.view(-1)._storage


def test_a_view_made_before_its_base_got_a_history_follows_it() -> None:
    x = irtool.zeros(2, 2)
    y = x[0]
    w = irtool.ones(2, requires_grad=True)
    x[0] = w * 3
    assert y.requires_grad and x.requires_grad
    y.sum().backward()
    assert w.grad is not None and w.grad.tolist() == [3.0, 3.0]


def test_constants_are_never_written_to() -> None:
    # Operands made of numbers, and gradients that are constant, come from a shared cache.
    x = irtool.ones((), requires_grad=True)
    (gradient,) = irtool.autograd.grad(x * 1.0, x)
    gradient.add_(5)
    x.backward()
    assert x.grad is not None
    x.grad.add_(5)
    assert (irtool.zeros(()) + 1.0).item() == 1.0
    finite = irtool.tensor([1]).isfinite()
    finite.logical_not_()
    assert irtool.tensor([1]).isfinite().item()


def test_storages_align_themselves() -> None:
    x = irtool.ones(3) + 1
    assert x._storage.align() and x._storage.address % 64 == 0 and x.tolist() == [2.0, 2.0, 2.0]
    shared = irtool.from_numpy(np.zeros(100, np.float32)[1:])
    assert not shared._storage.align()


def _stepwise(x: Tensor, w: Tensor) -> Tensor:
    """A tensor that is filled by a loop, which reads what it has written."""
    out, h = irtool.zeros(6, 2, 3), x
    for t in range(6):
        h = irtool.tanh(h * w[t])
        out[t] = h
        if t > 1:
            out[t] += out[t - 1] * 0.5
    return out


def _columns(x: Tensor, w: Tensor) -> Tensor:
    """Ranges that cut through earlier ones, other dimensions, steps."""
    out = irtool.ones(3, 6)
    out[:, 1:3] = x.t()[:, :2]
    out[:, 0] = w[0]
    out[:, 2:5] = out[:, 1:4] * 2
    out[1:, 4] *= 2
    out[2] = w.mean()
    out[:, ::2] = out[:, 1::2] + 1
    return out


@pytest.mark.parametrize("function", [_stepwise, _columns])
def test_traced_writes_are_those_of_eager(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    rng = np.random.default_rng(0)
    x, w = (irtool.from_numpy(rng.standard_normal(n).astype(np.float32)).requires_grad_() for n in ((2, 3), (6, 3)))

    def both(x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        y = function(x, w)
        return y, *irtool.autograd.grad((y * y * irtool.arange(y.numel()).reshape(y.shape)).sum(), [x, w])

    for found, expected in zip(irtool.compile(both, target="reference")(x, w), both(x, w), strict=True):
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())


def test_a_loop_that_fills_a_tensor_is_one_concatenation() -> None:
    """Its cost in the compiler grows with its steps, not with their square."""

    def fill(x: Tensor) -> Tensor:
        out = irtool.zeros_like(x)
        for t in reversed(range(len(x))):
            out[t] = x[t] * t
        return out

    text = irtool.compile(fill, target="reference")
    text(irtool.ones(8))
    lines = text.ir("hl").splitlines()
    assert sum("hl.concat" in line for line in lines) == 1 and not any("hl.select" in line for line in lines)
