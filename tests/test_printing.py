"""Printed forms, beyond those recorded in tensor_cases."""

from __future__ import annotations

from collections.abc import Iterator

import irtool
import pytest


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    irtool.set_printoptions(profile="default")


def test_numbers_and_types() -> None:
    assert repr(irtool.tensor([1.0, 2.0, 3.0])) == "tensor([1., 2., 3.])"
    assert repr(irtool.tensor([1, -2])) == "tensor([ 1, -2])"
    assert repr(irtool.tensor([True, False])) == "tensor([ True, False])"
    assert repr(irtool.tensor([1.5, 2.0], dtype=irtool.float64)) == "tensor([1.5000, 2.0000], dtype=irtool.float64)"
    assert repr(irtool.tensor(7)) == "tensor(7)"
    assert str(irtool.float32) == "irtool.float32"
    assert repr(irtool.zeros(2, 3).shape) == "irtool.Size([2, 3])"


def test_matrices_break_lines() -> None:
    assert repr(irtool.eye(2)) == "tensor([[1., 0.],\n        [0., 1.]])"


def test_gradients() -> None:
    x = irtool.tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert repr(x.detach()) == "tensor([1.])"


def test_parameters() -> None:
    parameter = irtool.nn.Parameter(irtool.zeros(2))
    assert repr(parameter) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"


def test_options() -> None:
    x = irtool.tensor([1.23456789])
    irtool.set_printoptions(precision=2)
    assert repr(x) == "tensor([1.23])"
    irtool.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([1.23e+00])"
    irtool.set_printoptions(profile="default")
    irtool.set_printoptions(threshold=5, edgeitems=1)
    assert repr(irtool.arange(10)) == "tensor([0,  ..., 9])"


def test_formats() -> None:
    x = irtool.tensor(2.5)
    assert f"{x:.2f}" == "2.50" and f"{x}" == "2.5" and format(x, ".1f") == "2.5"
    assert f"{irtool.tensor([1.0])}" == "tensor([1.])"


def test_printing_inside_a_compiled_function_is_harmless() -> None:
    seen: list[str] = []

    def function(x: irtool.Tensor) -> irtool.Tensor:
        y = x * 2
        seen.append(repr(y))
        return y

    irtool.compile(function, target="reference")(irtool.ones(2))
    assert seen == ["tensor(<value of a compiled function>, size=[2], dtype=irtool.float32)"]
