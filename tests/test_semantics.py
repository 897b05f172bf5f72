"""Programs as people write them: compiled, they do what they do eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.nn import functional as F

Step = Callable[..., Any]


def normal(*shape: int, seed: int = 0) -> irtool.Tensor:
    return irtool.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def both(make: Callable[[Callable[[Step], Step]], Any]) -> None:
    """What `make` returns is the same whether the functions in it are compiled or not."""
    eager = make(lambda f: f)
    compiled = make(lambda f: irtool.compile(f, target="reference"))
    assert len(eager) == len(compiled)
    for a, b in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["assigned", "subtracted", "in place"])
def test_updates_through_data(how: str):
    def make(wrap: Callable[[Step], Step]) -> list[irtool.Tensor]:
        w = normal(5, 3).requires_grad_()

        @wrap
        def step(x: irtool.Tensor) -> irtool.Tensor:
            loss = ((x @ w) ** 2).mean()
            loss.backward()
            if how == "assigned":
                w.data = w.data - 0.1 * w.grad.data
            elif how == "subtracted":
                w.data -= 0.1 * w.grad.data
            else:
                w.data.add_(w.grad, alpha=-0.1)
            w.grad = None
            return loss

        return [*(step(normal(4, 5, seed=i)) for i in range(3)), w]

    both(make)


def test_data_of_another_shape_is_refused_in_a_trace():
    w = normal(5, 3)

    @irtool.compile
    def step(x: irtool.Tensor) -> None:
        w.data = x

    with pytest.raises(RuntimeError, match=r"\.data .*test_semantics.py:\d+"):
        step(normal(3, 5))
    assert w.shape == (5, 3)


def test_one_hot():
    def make(wrap: Callable[[Step], Step]) -> list[irtool.Tensor]:
        f = wrap(lambda y: F.one_hot(y, 4))
        return [f(irtool.tensor([0, 3, 1])), f(irtool.tensor([[2], [2]]))]

    both(make)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.long().add(x.long(), alpha=0.5), "alpha must not be a floating point number"),
        (lambda x: x.roll((1, 2), 0), "shifts: 2, dims:1"),
        (lambda x: irtool.outer(x, x[0]), "Expected 1-D argument self, but got 2-D"),
        (lambda x: irtool.diag(x[None]), "Got 3D"),
        (lambda x: F.one_hot(x, 3), "index tensor"),
        (lambda x: F.cross_entropy(x, x[:, 0]), "target dtype to be Long or Byte, but got Float"),
        (lambda x: F.cross_entropy(x, irtool.zeros(5, dtype=irtool.int64)), "batch_size"),
        (lambda x: F.binary_cross_entropy_with_logits(x, x[0]), "Target size"),
    ],
)
def test_wrong_arguments(call: Step, message: str):
    line = call.__code__.co_firstlineno
    for function in (call, irtool.compile(call, target="reference")):
        with pytest.raises((RuntimeError, ValueError), match=message) as error:
            function(normal(3, 4))
        assert f"test_semantics.py:{line}" in str(error.value)


def test_traced_tensors_in_sets_are_refused_and_taken_out():
    kept: Any = set()

    def f(x: irtool.Tensor) -> irtool.Tensor:
        kept.add(x * 2)
        return x

    compiled = irtool.compile(f, target="reference")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"keeps a tensor in `.*kept`"):
            compiled(normal(2))
        assert not kept


FLOATS: dict[str, Step] = {
    "alpha": lambda x, a: x.add(x, alpha=a),
    "addmm": lambda x, a: irtool.addmm(x, x, x, alpha=a, beta=a),
    "full": lambda x, a: irtool.full((2, 3), a) + irtool.full_like(x, a).sum(),
    "tensor": lambda x, a: irtool.tensor(a) * irtool.as_tensor(a),
    "clamp": lambda x, a: x.clamp(-a, a),
    "power": lambda x, a: a**x + x.abs() ** a,
    "where": lambda x, a: irtool.where(x > a, x, a),
    "integers": lambda x, a: x.long() * a,
    "double": lambda x, a: x.double() / (1 + a),
}


@pytest.mark.parametrize("name", FLOATS)
def test_one_program_for_all_floats(name: str):
    function = FLOATS[name]
    compiled = irtool.compile(function, target="reference")
    for number in (0.25, 0.5, -1.5, 3.0):  # a constant at first, then for all
        expected, found = function(normal(3, 3), number), compiled(normal(3, 3), number)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    assert len(compiled.programs()) == 2


def train_rows_by_index(threads: int) -> list[bytes]:
    before = irtool.get_num_threads()
    irtool.set_num_threads(threads)
    try:
        table, weight = normal(5000, 64).requires_grad_(), normal(64, 10, seed=1).requires_grad_()
        optimizer = irtool.optim.SGD([table, weight], lr=0.1, momentum=0.9)

        @irtool.compile
        def step(rows: irtool.Tensor, y: irtool.Tensor) -> irtool.Tensor:
            loss = F.cross_entropy(table[rows].mean(1) @ weight, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        rng = np.random.default_rng(2)
        rows, y = irtool.from_numpy(rng.integers(0, 5000, (64, 20))), irtool.from_numpy(rng.integers(0, 10, 64))
        losses = [step(rows, y) for _ in range(4)]
        return [t.detach().numpy().tobytes() for t in (*losses, table, weight)]
    finally:
        irtool.set_num_threads(before)


def test_the_same_bits_for_any_number_of_threads():
    once = train_rows_by_index(1)
    assert train_rows_by_index(1) == once
    assert train_rows_by_index(2) == once
    assert train_rows_by_index(3) == once


NEW_MEMORY: dict[str, Step] = {
    "sum": lambda x: x.sum(),
    "amax": lambda x: x.amax(-1),
    "cumsum": lambda x: x.cumsum(0),
    "roll": lambda x: x.reshape(1).roll(2, 0),
    "flip": lambda x: x.flip(0),
    "sort": lambda x: x.sort()[0],
}


@pytest.mark.parametrize("name", NEW_MEMORY)
def test_results_are_new_memory_where_nothing_changes(name: str):
    x = irtool.tensor(0.5)
    NEW_MEMORY[name](x).fill_(7.0)
    assert x.item() == 0.5


OVERWRITTEN: dict[str, Step] = {
    "div": lambda x: x / (x + 2),
    "silu": lambda x: F.silu(x),
    "floor": lambda x: x * 3 - irtool.floor(x * 3),
    "fmod": lambda x: irtool.fmod(x * 3, 0.7),
    "sign": lambda x: irtool.sign(x) + x.round(),
    "mask": lambda x: irtool.where(x > 0, x, -x),
}


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_results_that_gradients_do_not_need_may_be_overwritten(name: str):
    def make(wrap: Callable[[Step], Step]) -> list[irtool.Tensor]:
        x = normal(3, 4).requires_grad_()

        @wrap
        def step() -> irtool.Tensor:
            y = OVERWRITTEN[name](x)
            y *= 2
            y.sum().backward()
            return y

        return [step(), x.grad]

    both(make)


def test_a_mask_without_dimensions():
    def make(wrap: Callable[[Step], Step]) -> list[irtool.Tensor]:
        @wrap
        def f(x: irtool.Tensor) -> irtool.Tensor:
            x = x.clone()
            x[x > 0.3] = 0.1
            return x

        return [f(irtool.tensor(0.5)), f(irtool.tensor(0.2)), f(normal(3))]

    both(make)


def test_numbers_computed_from_floats_are_floats():
    f = irtool.compile(lambda x, a: (x * a, a, {"twice": a * 2, "next": a + 1}), target="reference")
    for number in (0.5, 1.5, 2.5):
        scaled, same, more = f(normal(2), number)
        assert (same, more) == (number, {"twice": number * 2, "next": number + 1})
        assert all(type(v) is float for v in (same, *more.values())) and scaled.shape == (2,)
    assert len(f.programs()) == 2
