"""Compiled functions that write to tensors with a history: gradients flow on through what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest

Function = Callable[..., Any]


def relu(x: Any) -> Any:
    return x.relu_()


def first(x: Any) -> Any:
    x[0] = 0
    return x.sum()


def copy(buffer: Any, x: Any) -> None:
    buffer[1:] = x[1:] * 3


def filled(x: Any) -> Any:
    x.copy_(irtool.ones(()))
    return x * 2


def view(x: Any) -> Any:
    x.mul_(2)
    return x[1:]


def compiled(function: Function) -> Function:
    return irtool.compile(function, target="reference")


def gradient(function: Function, part: Callable[[Any], Any] = lambda y: y) -> list[float]:
    """By what was there before the function wrote, of what it returns and of what it wrote."""
    x = irtool.tensor([[-1.0, 2.0, 3.0], [1.0, 4.0, -2.0]], requires_grad=True)
    y = x * 2
    result = function(part(y))
    weights = irtool.arange(1.0, 1 + result.numel())
    ((result * weights.reshape(result.shape)).sum() + (y * y).sum()).backward()
    return x.grad.tolist()


@pytest.mark.parametrize("function", [relu, first, view, filled])
@pytest.mark.parametrize("part", [lambda y: y, lambda y: y[1], lambda y: y.t()], ids=["whole", "row", "transposed"])
def test_a_computed_argument(function: Function, part: Callable[[Any], Any]) -> None:
    assert gradient(compiled(function), part) == gradient(function, part)


def test_a_buffer_gets_a_history() -> None:
    step = compiled(copy)
    for _ in range(2):
        x, buffer = irtool.ones(3, requires_grad=True), irtool.zeros(3)
        step(buffer, x)
        assert buffer.requires_grad and not buffer.is_leaf
        (buffer * buffer).sum().backward()
        assert x.grad.tolist() == [0, 18, 18]


def test_a_buffer_that_is_no_argument() -> None:
    x, buffer = irtool.ones(3, requires_grad=True), irtool.zeros(3)

    @compiled
    def step(x: Any) -> None:
        copy(buffer, x)

    step(x)
    buffer.sum().backward()
    assert x.grad.tolist() == [0, 3, 3]


def test_a_backward_inside_uses_the_history_up() -> None:
    @compiled
    def step(buffer: Any, x: Any) -> None:
        copy(buffer, x)
        buffer.sum().backward()

    x, buffer = irtool.ones(3, requires_grad=True), irtool.zeros(3)
    step(buffer, x)
    assert x.grad.tolist() == [0, 3, 3] and buffer.tolist() == [0, 3, 3]
    assert buffer.requires_grad and not buffer.is_leaf
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        buffer.sum().backward()


def test_leaves_are_refused_also_by_a_program_for_computed_tensors() -> None:
    step, x = compiled(relu), irtool.tensor([-1.0], requires_grad=True)
    step(x * 1)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
        step(x)
    assert x.tolist() == [-1.0]


def over_nan(x: Any) -> Any:
    y = (x > x).log().softmax(-1)
    return y.zero_()


def over_infinity(x: Any) -> Any:
    y = x / 0
    with irtool.no_grad():
        y.fill_(2.0)
    return y.detach()


@pytest.mark.parametrize("function", [over_nan, over_infinity])
def test_what_was_there_does_not_matter(function: Function) -> None:
    x = irtool.ones(2, requires_grad=True)
    assert compiled(function)(x).tolist() == function(x).tolist()


def gone_back() -> tuple[Function, Function]:
    w = irtool.ones(2)

    def f(x: Any) -> Any:
        old = w.data
        w.data = w.data + x
        moved = (w * x).sum()
        w.data = old
        return moved, w.sum()

    return f, lambda: w


def kept_old() -> tuple[Function, Function]:
    w, kept = irtool.ones(2), {}

    def f(x: Any) -> Any:
        kept["old"] = w.data
        w.data = w.data + x
        w.add_(1)
        return (w * x).sum()

    return f, lambda: (w, kept["old"])


def kept_new() -> tuple[Function, Function]:
    w, kept = irtool.ones(2), {}

    def f(x: Any) -> Any:
        new = w.data + x
        w.data = new
        new.add_(1)
        kept["new"] = new
        w.mul_(2)
        return (w * x).sum()

    return f, lambda: (w, kept["new"])


def exchanged() -> tuple[Function, Function]:
    v, w = irtool.ones(2), irtool.zeros(2)

    def f(x: Any) -> Any:
        v.data, w.data = w.data, v.data
        w.add_(x)
        return v.sum(), w.sum()

    return f, lambda: (v, w)


def shared() -> tuple[Function, Function]:
    v, w = irtool.ones(2), irtool.zeros(2)

    def f(x: Any) -> Any:
        v.data = w.data
        w.add_(x)
        return v * 2

    return f, lambda: (v, w)


def held() -> tuple[Function, Function]:
    w = irtool.ones(2)
    other = w.data

    def f(x: Any) -> Any:
        w.data = w * 2 + x
        return other + w

    return f, lambda: (w, other)


ASSIGNED = [gone_back, kept_old, kept_new, exchanged, shared, held]


@pytest.mark.parametrize("make", ASSIGNED, ids=lambda make: make.__name__)
def test_data_is_assigned(make: Callable[[], tuple[Function, Function]]) -> None:
    """A tensor gets the memory of another one, and nobody else's numbers change."""

    def outcome(wrap: Function) -> list[Any]:
        f, look = make()
        f = wrap(f)
        found: list[Any] = []
        for k in range(3):
            found += [str(f(irtool.full((2,), float(k + 1)))), str(look())]
            for t in look() if isinstance(look(), tuple) else (look(),):
                t.add_(1)  # shows who shares memory
                found.append(str(look()))
        return found

    assert outcome(compiled) == outcome(lambda f: f)


def test_arguments_that_share_memory_get_no_history() -> None:
    @compiled
    def step(x: Any, part: Any, w: Any) -> Any:
        x.add_(w)
        part.copy_(part)
        return x.sum()

    x, w = irtool.ones(2, 3), irtool.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"shares its memory with another tensor .*test_compiled_in_place.py"):
        step(x, x.t(), w)
    step(x, irtool.ones(3, 2), w)
    assert x.requires_grad


def test_nothing_is_written_to_nothing() -> None:
    @compiled
    def step(x: Any) -> Any:
        x.expand(0, 2, 2).add_(1)
        return x[:0].sum()

    x = irtool.ones(1, 2, 2)
    assert step(x).item() == 0 and x.sum().item() == 4


def test_what_a_trace_refuses_is_not_caught_by_the_function() -> None:
    @compiled
    def step(x: Any) -> Any:
        try:
            return x * x.sum().exp().tolist()
        except RuntimeError:
            return x

    with pytest.raises(RuntimeError, match=r"needs the value of a tensor.*test_compiled_in_place.py"):
        step(irtool.ones(2))
