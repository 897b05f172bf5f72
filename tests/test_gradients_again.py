"""Several gradients through one graph inside a compiled function: what is used up, and what is not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import irtool
import pytest

CASES: dict[str, Callable[[Any], Any]] = {}


def case(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    CASES[function.__name__] = function
    return function


@case
def what_lies_behind_what_is_asked_for(x):
    h = x.sin()
    h.backward(irtool.ones(3))
    return irtool.autograd.grad((h**2).sum(), h)[0].clone()


@case
def inputs_of_backward(x):
    h = x.sin()
    h.backward(irtool.ones(3))
    (h.mean() * 2).backward(inputs=[h])
    return h.detach()


@case
def by_itself(x):
    h = x.exp().sum()
    h.backward()
    return irtool.autograd.grad(h, h)[0]


@case
def by_something_else(x):
    h = x.exp()
    h.sum().backward()
    return irtool.autograd.grad(h.sum(), x * 2, allow_unused=True)[0]


@case
def by_a_copy(x):
    h = x.clone()
    other = irtool.autograd.grad(x.mean(), h, allow_unused=True)[0]
    return other, irtool.autograd.grad((x * h).sum(), h)[0]


@case
def a_hook_twice(x):
    h = x + x
    h.register_hook(lambda g: g * 2)
    h.sum().backward(retain_graph=True)
    h.sum().backward()
    return h.sum()


@case
def a_hook_inside_and_outside(x):
    h = x + x
    h.register_hook(lambda g: g * 2)
    h.sum().backward()
    return (h * h).sum()


@case
def kept_on_the_way(x):
    h = x * 2
    h.retain_grad()
    other = x * 3
    other.retain_grad()
    return irtool.autograd.grad((h**2).sum() + other.sum(), x)[0], h.grad, other.grad


@case
def kept_beside_the_way(x):
    h, other = x * 2, x * 3
    other.retain_grad()
    (h.sum() + other.sum()).backward(inputs=[h])
    return h.grad, other.grad


@case
def used_up(x):
    h = x.sin()
    h.sum().backward()
    (h**2).sum().backward()


def outcome(function: Callable[[Any], Any]) -> Any:
    x = irtool.tensor([0.5, 1.0, -2.0]).requires_grad_()
    try:
        found = function(x)
    except RuntimeError as error:
        return str(error).split(" (at ")[0]
    found = found if isinstance(found, tuple) else (found,)
    for y in found:
        if y is not None and y.requires_grad:
            y.sum().backward()
    return [None if t is None else [round(v, 5) for v in t.detach().flatten().tolist()] for t in (*found, x.grad)]


@pytest.mark.parametrize("name", CASES)
def test_as_eager(name: str) -> None:
    compiled = functools.partial(irtool.compile, target="reference", keep_gradients=True)
    assert outcome(compiled(CASES[name])) == outcome(CASES[name])


OUTSIDE: dict[str, tuple[Callable[[Any, Any], Any], int]] = {}
"""Functions of two tensors that were computed from one, and how many times its gradient arrives."""


def outside(times: int) -> Callable[[Any], Any]:
    def add(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        OUTSIDE[function.__name__] = function, times
        return function

    return add


@outside(2)
def in_one_pass(a, b):
    (a + b).sum().backward()
    return a.detach()


@outside(2)
def from_two_roots(a, b):
    irtool.autograd.backward([a.sum(), (a * 2 - b).sum()])


@outside(2)
def in_two_passes_with_a_kept_graph(a, b):
    a.sum().backward(retain_graph=True)
    b.sum().backward()


@outside(-1)
def in_two_passes(a, b):
    state.add_(1)
    a.sum().backward()
    b.sum().backward()


@outside(2)
def in_two_passes_through_what_keeps_nothing(a, b):
    a.view(-1).sum().backward()
    b.sum().backward()


state = irtool.zeros(1)


@pytest.mark.parametrize("name", OUTSIDE)
def test_passes_that_go_on_outside(name: str) -> None:
    function, times = OUTSIDE[name]
    for mode in (lambda f: f, functools.partial(irtool.compile, target="reference")):
        wrapped = mode(function)
        for keeps in ("keeps" in name,) * 2:
            leaf = irtool.ones(3, requires_grad=True)
            a = leaf + 1 if keeps else leaf * 3
            state.zero_()
            if times < 0:
                line = function.__code__.co_firstlineno + 4
                with pytest.raises(RuntimeError, match=rf"a second time.*test_gradients_again.py:{line}\)$"):
                    wrapped(a, a.view(3))
                assert state.item() == (wrapped is function)
            else:
                wrapped(a, a.view(3))
                assert leaf.grad is not None and leaf.grad.tolist() == [times * (1 if keeps else 3)] * 3
