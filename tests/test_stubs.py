"""What type checkers know of Tensor's methods and of layers is what tables install."""

from __future__ import annotations

from irtool.tools import stubs


def test_the_stubs_are_fresh() -> None:
    assert stubs.METHODS.read_text() == stubs.methods(), "run `make stubs`"
    assert stubs.LAYERS.read_text() == stubs.layers(), "run `make stubs`"


def test_layers_have_their_bases() -> None:
    text = stubs.layers()
    assert 'class Conv2d(conv._Conv):\n    """Convolution of (N, C, H, W)."""\n' in text
    assert "class LazyConv2d(lazy._LazyConv, Conv2d):\n" in text


def test_methods_have_their_arguments() -> None:
    text = stubs.methods()
    assert "    def argmax(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ...) -> Tensor:" in text
    assert "    def add_(self, other: Operand, *, alpha: builtins.float = ...) -> Tensor:" in text
    assert "    def dim(self) -> builtins.int:" in text and "    def is_floating_point(self) -> builtins.bool:" in text
