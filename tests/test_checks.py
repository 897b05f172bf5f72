"""Bad indices and divisions by zero: compiled programs raise what eager code raises, and state is as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor, nn, optim
from irtool.frontend.ops.control import scan
from irtool.nn import functional as F
from irtool.runtime.threads import get_num_threads, set_num_threads
from irtool.utils.checkpoint import checkpoint

from .samples.hostile import HOSTILE

MANY = 40_000
"""More than one thread checks alone."""


@pytest.fixture(params=[1, 2, 4], ids=lambda n: f"{n} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


def raised(function: Callable[..., Any], *arguments: Any) -> Exception:
    with pytest.raises((IndexError, RuntimeError)) as info:
        function(*arguments)
    return info.value


def tensors() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(1)
    return irtool.tensor(rng.standard_normal((5, 6)).astype(np.float32)), irtool.arange(7.0)


@pytest.mark.parametrize("name", HOSTILE)
def test_compiled_raises_what_eager_raises(name: str) -> None:
    hostile = HOSTILE[name]
    w, v = tensors()
    for dtype in hostile.dtypes:
        compiled = irtool.compile(hostile.function)
        good = irtool.tensor(hostile.good(dtype))
        np.testing.assert_allclose(compiled(w, v, good).numpy(), hostile.function(w, v, good).numpy(), 1e-5, 1e-6)
        for what, array in hostile.bad(dtype):
            bad = irtool.tensor(array)
            expected, found = raised(hostile.function, w, v, bad), raised(compiled, w, v, bad)
            assert (type(found), str(found)) == (type(expected), str(expected)), what
            assert "hostile.py:" in str(found)
            assert "are as before the call" in found.__notes__[0]
        np.testing.assert_allclose(compiled(w, v, good).numpy(), hostile.function(w, v, good).numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["x[:, i]", "cross_entropy", "fmod", "scatter_add"])
def test_the_reference_target_raises_it_too(name: str) -> None:
    hostile = HOSTILE[name]
    w, v = tensors()
    compiled = irtool.compile(hostile.function, target="reference")
    compiled(w, v, irtool.tensor(hostile.good()))
    for _, array in hostile.bad():
        bad = irtool.tensor(array)
        assert str(raised(compiled, w, v, bad)) == str(raised(hostile.function, w, v, bad))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.scores = nn.Embedding(50, 8), nn.Linear(8, 10)
        self.calls = 0

    def forward(self, words: Tensor) -> Tensor:
        self.calls += 1
        return self.scores(self.table(words).mean(1))


def trained(count: int) -> tuple[Callable[[Tensor, Tensor], Tensor], Callable[[], list[Any]], Tensor, Tensor]:
    """A training step, all of its state, and what it is called with."""
    irtool.manual_seed(0)
    model = Words()
    optimizer = optim.AdamW(model.parameters(), lr=0.1)

    def step(words: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.dropout(model(words), 0.1), labels)
        loss.backward()
        optimizer.step()
        return loss

    def state() -> list[Any]:
        moments = [v.numpy().copy() for of in optimizer.state.values() for v in of.values()]
        weights = [p.detach().numpy().copy() for p in model.parameters()]
        return [*weights, *moments, irtool.get_rng_state().numpy().copy(), np.array(model.calls)]

    words = irtool.randint(0, 50, (count // 4, 4))
    return step, state, words, irtool.randint(0, 10, (count // 4,))


def assert_same(a: list[Any], b: list[Any]) -> None:
    assert len(a) == len(b)
    for x, y in zip(a, b):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("count", [64, MANY])
def test_a_step_that_fails_leaves_state_as_it_was(count: int, threads: int) -> None:
    step, state, words, labels = trained(count)
    compiled = irtool.compile(step)
    compiled(words, labels)
    for bad_words, bad_labels in ((50, None), (None, 10), (-1, 11)):
        wrong, wrong_labels = words.clone(), labels.clone()
        if bad_words is not None:
            wrong[-1, 1] = wrong[3, 2] = bad_words
        if bad_labels is not None:
            wrong_labels[-1] = wrong_labels[5] = bad_labels
        before = state()
        error = raised(compiled, wrong, wrong_labels)
        assert_same(state(), before)
        if bad_words is None:
            assert str(error).startswith(f"Target {bad_labels} is out of bounds. (at test_checks.py:")
            assert "element [5] of" in error.__notes__[0]
        else:
            assert str(error).startswith("index out of range in self (at test_checks.py:")
            assert (
                f"element [3, 2] of a {list(words.shape)} tensor is {bad_words}, expected 0 <= value < 50"
                in (error.__notes__[0])
            )
    compiled(words, labels)


def test_a_first_call_that_fails_leaves_nothing_behind() -> None:
    step, state, words, labels = trained(64)
    compiled = irtool.compile(step)
    before = state()
    raised(compiled, words + 50, labels)
    assert_same(state(), before)
    losses = [compiled(words, labels).item() for _ in range(2)]
    step, _, words, labels = trained(64)
    np.testing.assert_allclose([step(words, labels).item() for _ in range(2)], losses, 1e-5)


def test_what_is_computed_is_checked_before_state_changes(threads: int) -> None:
    w, total = irtool.randn(500, 64), irtool.zeros(())

    def step(x: Tensor) -> Tensor:
        total.add_(1)
        found = w[(x * 500).long()].sum()
        w.mul_(1.5)
        return found

    compiled = irtool.compile(step)
    x = irtool.rand(3000)
    compiled(x)
    before = w.numpy().copy()
    x[17] = 2.0
    error = raised(compiled, x)
    assert str(error).startswith("index 1000 is out of bounds for dimension 0 with size 500")
    assert "are as before the call" in error.__notes__[0]
    np.testing.assert_array_equal(w.numpy(), before)
    assert total.item() == 1


def test_where_state_has_to_change_first_the_error_says_so(threads: int) -> None:
    sums = irtool.zeros(500)
    w = irtool.randn(500, 64)

    def step(x: Tensor) -> Tensor:
        sums.add_(x)
        return w[sums.long()].sum() + sums.sum()

    compiled = irtool.compile(step)
    compiled(irtool.zeros(500))
    error = raised(compiled, irtool.full((500,), 600.0))
    assert "index 600 is out of bounds" in str(error)
    changed = bool((sums != 0).any())
    assert ("may have been updated" if changed else "are as before the call") in error.__notes__[0]


def test_the_first_of_several_errors_counts() -> None:
    w = irtool.randn(5, 6)

    def several(i: Tensor, j: Tensor) -> Tensor:
        return w[i].sum() + w[:, j].sum() + (10 // j).sum()

    compiled = irtool.compile(several)
    good = irtool.tensor([1, 2])
    compiled(good, good)
    for i, j in (([1, 9], [7, 0]), ([1, 1], [7, 8]), ([1, 1], [0, 1]), ([-6, 9], [1, 1])):
        bad = irtool.tensor(i), irtool.tensor(j)
        assert str(raised(compiled, *bad)) == str(raised(several, *bad))


def test_bodies_of_loops_and_recomputation_check_too() -> None:
    w = irtool.randn(5, 6)

    def looped(i: Tensor) -> Tensor:
        def body(carried: Any, slices: Any, constants: Any) -> Any:
            return [carried[0] + constants[0][slices[0]]], []

        return scan(body, [irtool.zeros(2, 6)], [i], [w])[0][0]

    def recomputed(i: Tensor) -> Tensor:
        x = w.clone().requires_grad_(True)
        checkpoint(lambda x: x[i].sin().sum(), x, use_reentrant=False).backward()
        assert x.grad is not None
        return x.grad

    def twice(i: Tensor) -> Tensor:
        x = w.clone().requires_grad_(True)
        (g,) = irtool.autograd.grad((x[i] ** 3).sum(), x, create_graph=True)
        return irtool.autograd.grad(g.sum(), x)[0]

    for function in (looped, recomputed, twice, irtool.no_grad()(looped)):
        compiled = irtool.compile(function)
        good = irtool.tensor([[1, 2], [3, 4]])
        np.testing.assert_allclose(compiled(good).numpy(), function(good).numpy(), 1e-5)
        for bad in ([[1, 2], [3, 5]], [[1, 2], [-6, 9]]):
            index = irtool.tensor(bad)
            assert str(raised(compiled, index)) == str(raised(function, index))
        np.testing.assert_allclose(compiled(good).numpy(), function(good).numpy(), 1e-5)


def test_gradients_taken_outside_check_once() -> None:
    w = irtool.randn(5, 6, requires_grad=True)
    compiled = irtool.compile(lambda w, i: (w[i] ** 2).sum())
    compiled(w, irtool.tensor([1, 1])).backward()
    assert "check" in compiled.ir("traced").split("_backward")[0]
    assert "check" not in compiled.ir("traced").split("_backward")[1]
    raised(compiled, w, irtool.tensor([5]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: x[x.argmax(0)],
        lambda x, i: x[i.clamp(0, 4)],
        lambda x, i: x[irtool.arange(5)],
        lambda x, i: x.gather(0, x.sort(0)[1]),
        lambda x, i: x[i % 5],
        lambda x, i: irtool.where(i > 0, 2, 1) // 2,
        lambda x, i: irtool.take_along_dim(x, i.reshape(1, -1), 1),
    ],
    ids=["argmax", "clamp", "arange", "sort", "remainder", "constant", "take_along_dim"],
)
def test_what_cannot_fail_is_not_checked(function: Callable[..., Tensor]) -> None:
    compiled = irtool.compile(function)
    compiled(irtool.randn(5, 6), irtool.tensor([1, 2, 3]))
    assert "check" not in compiled.ir("hl")


def test_one_value_is_checked_once() -> None:
    compiled = irtool.compile(
        lambda w, i: F.embedding(i, w) + F.embedding(i, w * 2) + w[i.reshape(-1)].reshape(2, 2, 6)
    )
    compiled(irtool.randn(5, 6), irtool.tensor([[1, 2], [0, 0]]))
    assert compiled.ir("hl").count("hl.check") == 1


def test_take_along_dim_counts_around() -> None:
    w = irtool.randn(3, 4)
    for index in ([[-1]], [[5]], [[-(2**63)]]):
        i = irtool.tensor(index)
        expected = w.numpy()[:, [index[0][0] % 4]]
        for function in (irtool.take_along_dim, irtool.compile(irtool.take_along_dim)):
            np.testing.assert_array_equal(function(w, i, 1).numpy(), expected)


def test_the_least_integer_divided_by_minus_one_wraps() -> None:
    def divided(a: Tensor, b: Tensor) -> list[Tensor]:
        return [a // b, a % b, irtool.fmod(a, b), irtool.div(a, b, rounding_mode="trunc")]

    for dtype, least in ((irtool.int64, -(2**63)), (irtool.int32, -(2**31))):
        a, b = irtool.full((40,), least, dtype=dtype), irtool.full((40,), -1, dtype=dtype)
        for x, y in zip(divided(a, b), irtool.compile(divided)(a, b)):
            np.testing.assert_array_equal(x.numpy(), y.numpy())


def test_nothing_can_be_taken_from_nothing() -> None:
    for function in (lambda i: irtool.zeros(0, 3)[i], lambda i: F.embedding(i, irtool.zeros(0, 3))):
        compiled = irtool.compile(function)
        assert compiled(irtool.zeros(0, dtype=irtool.int64)).shape == (0, 3)
        index = irtool.zeros(2, dtype=irtool.int64)
        assert str(raised(compiled, index)) == str(raised(function, index))


def test_numbers_call_their_dimension_as_eager_code_does() -> None:
    w = irtool.randn(5, 6)
    for function in (lambda i: w[0, i], lambda i: w[None, 0, i], lambda i: w[i, i], lambda i: w[:, i, None]):
        index = irtool.tensor(6)
        assert str(raised(irtool.compile(function), index)) == str(raised(function, index))


CONDITIONS: dict[str, tuple[Callable[[Tensor], Any], type[Exception], list[float], list[float]]] = {
    "probabilities": (
        lambda x: F.binary_cross_entropy(x, x * 0 + 0.5),
        RuntimeError,
        [0, 1, 0.5, 0.25],
        [0, 1, 1.5, 0],
    ),
    "variances": (lambda x: F.gaussian_nll_loss(x, x + 1, x), ValueError, [0, 1, 2, 3], [0, 1, 2, -3]),
    "regular matrices": (lambda x: irtool.linalg.inv(x.reshape(2, 2)), RuntimeError, [1, 2, 3, 4], [0, 0, 3, 4]),
    "positive matrices": (lambda x: irtool.linalg.cholesky(x.reshape(2, 2)), RuntimeError, [2, 1, 1, 2], [2, 1, 1, -2]),
    "rows for a mask": (lambda x: masked_write(x, x[:2]), RuntimeError, [1, -1, 2, -3], [1, 1, 2, -3]),
}


def masked_write(x: Tensor, rows: Tensor) -> Tensor:
    y = x.clone()
    y[x > 0] = rows * 2
    return y


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_on_floats(name: str) -> None:
    function, error, good, bad = CONDITIONS[name]
    for target in ("cpu", "reference") if name == "probabilities" else ("reference",):
        compiled = irtool.compile(function, target=target)
        for values in (good, bad, good):
            x = irtool.tensor(values, dtype=irtool.float32)
            if values is good:
                np.testing.assert_allclose(compiled(x).numpy(), function(x).numpy(), 1e-5, 1e-6)
                continue
            with pytest.raises(error) as expected:
                function(x)
            with pytest.raises(error) as found:
                compiled(x)
            assert str(found.value) == str(expected.value)
            assert "state are as before the call" in found.value.__notes__[0]
