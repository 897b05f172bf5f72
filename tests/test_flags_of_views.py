"""A view has the history that it was made with, also where its base asks for no gradient any longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import Tensor

from .test_histories import MODES


@MODES
def test_a_view_keeps_the_history_of_what_asks_for_no_gradient_any_longer(mode: Callable[[Any], Any]) -> None:
    def write_view(a: Tensor) -> Tensor:
        view = a[:1][:]
        a.requires_grad_(False)
        return view.mul_(2)

    def write_base_then_view(a: Tensor) -> Tensor:
        view = a[:1]
        a.requires_grad_(False)
        a.mul_(2)
        return view.mul_(2)

    def write_own(a: Tensor) -> Tensor:
        own = a.detach().clone().requires_grad_()
        view = own[:1]
        own.requires_grad_(False)
        return view.mul_(2)

    for function in (write_view, write_base_then_view, write_own):
        with pytest.raises(RuntimeError, match=r"a view of a leaf Variable that requires grad .*test_flags_of_views"):
            mode(function)(irtool.ones(3, requires_grad=True))

    def write_base(a: Tensor) -> tuple[Tensor, Tensor]:
        view = a[:1]
        a.requires_grad_(False)
        a.mul_(3)
        return view, view * 2

    def write_unrecorded(a: Tensor) -> tuple[Tensor, Tensor]:
        view = a[:1]
        a.requires_grad_(False)
        with irtool.no_grad():
            view.mul_(3)
        return view, view * 2

    def write_alias(a: Tensor) -> tuple[Tensor, Tensor]:
        alias, view = a.detach(), a[:1]
        a.requires_grad_(False)
        alias.mul_(3)
        return view, view * 2

    for function in (write_base, write_unrecorded, write_alias):
        a = irtool.ones(3, requires_grad=True)
        view, double = mode(function)(a)
        assert view.tolist() == [3] and double.tolist() == [6]
        assert view.requires_grad and double.requires_grad and not a.requires_grad and a.is_leaf
