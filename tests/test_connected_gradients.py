"""None and zero are different gradients: eager and compiled code agree with PyTorch about which it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import Tensor, optim

from .random_programs.compare import described, differences

F = irtool.nn.functional

# What PyTorch 2.13 gives for q in (f(p, q)).sum().backward(): None, or its gradient.
FUNCTIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], list[float] | None]] = {
    "comparison": (lambda p, q: p * (q > 0).float(), None),
    "argmax": (lambda p, q: p * q.argmax().float(), None),
    "whole numbers": (lambda p, q: p * q.long().float(), None),
    "condition": (lambda p, q: irtool.where(q > 0, p, -p), None),
    "sorted indices": (lambda p, q: p[q.sort().indices], None),
    "shape": (lambda p, q: p * len(q) + irtool.zeros_like(q), None),
    "detached": (lambda p, q: p * q.detach(), None),
    "sign": (lambda p, q: p * q.sign(), [0, 0, 0]),
    "floor": (lambda p, q: p * q.floor(), [0, 0, 0]),
    "nothing of it": (lambda p, q: p * q[:0].sum(), [0, 0, 0]),
    "branches": (lambda p, q: irtool.where(q > 9, q, p), [0, 0, 0]),
    "zero_": (lambda p, q: p + q.clone().zero_(), [0, 0, 0]),
    "fill_": (lambda p, q: p * q.clone().fill_(2.0), [0, 0, 0]),
    "copy_": (lambda p, q: p + q.clone().copy_(p), [0, 0, 0]),
    "normal_": (lambda p, q: p * 0 + q.clone().normal_() * 0, [0, 0, 0]),
    "all of it": (lambda p, q: p + written(q.clone(), slice(None), p), [0, 0, 0]),
    "a part of it": (lambda p, q: p + written(q.clone(), 1, 0.0), [1, 0, 1]),
    "a row twice": (lambda p, q: written(written(irtool.zeros(2, 3), 0, q), 0, p), [0, 0, 0]),
    "compared in place": (lambda p, q: p + q.clone().gt_(0), [0, 0, 0]),
    "clamped": (lambda p, q: p * q.clone().clamp_(5, 6), [0, 0, 0]),
    "masked": (lambda p, q: p * q.masked_fill(q == q, 2.0), [0, 0, 0]),
}
MODES: dict[str, Callable[..., Any]] = {
    "eager": lambda f: f,
    "compiled": lambda f: irtool.compile(f, target="reference", keep_gradients=True),
}


def written(x: Tensor, index: Any, value: Any) -> Tensor:
    """x after x[index] = value."""
    x[index] = value
    return x


def leaves() -> tuple[Tensor, Tensor]:
    return irtool.tensor([1.0, 2.0, 3.0], requires_grad=True), irtool.tensor([0.5, -1.5, 2.5], requires_grad=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_inside_and_outside(name: str, mode: str) -> None:
    function, wanted = FUNCTIONS[name]

    def inside(p: Tensor, q: Tensor) -> None:
        function(p, q).sum().backward()

    p, q = leaves()
    MODES[mode](inside)(p, q)
    assert (None if q.grad is None else q.grad.tolist()) == wanted
    p, q = leaves()
    MODES[mode](function)(p, q).sum().backward()
    assert (None if q.grad is None else q.grad.tolist()) == wanted


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ("decay", "Adam"))
def test_optimizers_leave_alone_what_has_no_gradient(name: str, kind: str) -> None:
    function, wanted = FUNCTIONS[name]
    seen: list[dict[str, Any]] = []
    for mode in MODES.values():
        p, q = leaves()
        ps = [p, q]
        optimizer = optim.SGD(ps, lr=0.1, weight_decay=0.5) if kind == "decay" else optim.Adam(ps, lr=0.1)

        def step(p: Tensor = p, q: Tensor = q, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            function(p, q).sum().backward()
            optimizer.step()

        run = mode(step)
        for _ in range(2):
            run()
        seen.append(described({"p": p, "q": q, "optimizer": optimizer}))
        if wanted is None:
            assert q.tolist() == leaves()[1].tolist()
    assert not differences(*seen)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_that_can_be_differentiated_again(mode: str) -> None:
    def flows(x: Tensor) -> list[bool]:
        functions = (lambda x: x * 2, lambda x: x * x, lambda x: x.abs(), lambda x: F.softmax(x, 0)[0])
        found = [irtool.autograd.grad(f(x).sum(), x, create_graph=True)[0] for f in functions]
        (second,) = irtool.autograd.grad(found[1].sum(), x, create_graph=True)
        return [g.requires_grad for g in (*found, second)]

    assert MODES[mode](flows)(leaves()[0]) == [False, True, True, True, False]


@pytest.mark.parametrize("mode", MODES)
def test_only_what_leads_to_what_is_asked_for_is_used_up(mode: str) -> None:
    def run(w: Tensor, x: Tensor) -> Tensor:
        h = w.exp()
        (gradient,) = irtool.autograd.grad((h * x).sum(), x)
        h.sum().backward()
        (x * 2).sum().backward(inputs=[w])
        return gradient

    w, x = leaves()
    assert MODES[mode](run)(w, x).tolist() == w.exp().tolist() == w.grad.tolist()
    assert x.grad is None


@pytest.mark.parametrize("mode", MODES)
def test_what_was_written_over_is_noticed(mode: str) -> None:
    def inside(w: Tensor, x: Tensor) -> None:
        h = w * 2
        y = (h * x).sum()
        h.add_(1)
        y.backward()

    def outside(w: Tensor, x: Tensor) -> Tensor:
        h = w * 2
        y = (h * x).sum()
        h.add_(1)
        return y

    def harmless(w: Tensor, x: Tensor) -> None:
        h = w * 2
        y = (h + x).sum() + h.mul_(x).sum()  # the product keeps a copy of what it overwrites
        y.backward()

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        MODES[mode](inside)(*leaves())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        MODES[mode](outside)(*leaves()).backward()
    w, x = leaves()
    MODES[mode](harmless)(w, x)
    assert w.grad.tolist() == [3.0, -1.0, 7.0]


@pytest.mark.parametrize("mode", MODES)
def test_backward_goes_on_through_tensors_from_outside(mode: str) -> None:
    w, x = leaves()

    def run(h: Tensor) -> Tensor:
        (h * h).sum().backward()
        return h * 1

    h = w * x
    MODES[mode](run)(h)
    assert h.is_leaf is False and w.grad.tolist() == (2 * w * x * x).tolist() and x.grad is not None


@pytest.mark.parametrize("mode", MODES)
def test_outputs_that_do_not_depend_on_an_argument_give_it_no_gradient(mode: str) -> None:
    w, x = leaves()
    of_w, of_x = MODES[mode](lambda w, x: (w * 2, x * 3))(w, x)
    of_w.sum().backward()
    assert w.grad.tolist() == [2.0] * 3 and x.grad is None
    of_x.sum().backward()
    assert x.grad.tolist() == [3.0] * 3


@pytest.mark.parametrize("mode", MODES)
def test_outputs_are_used_up_where_they_have_saved_the_same(mode: str) -> None:
    def run(w: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        h = w.exp()
        return (h * 2).sum(), (h * 3).sum(), x.exp().sum(), x.sum()

    one, two, other, plain = MODES[mode](run)(*leaves())
    one.backward()
    other.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        two.backward()
    plain.backward()
    plain.backward()
