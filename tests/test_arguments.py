"""Arguments that a function does not take, or of the wrong kind: named, never ignored."""

from __future__ import annotations

import irtool
import pytest
from irtool import nn
from irtool.nn import functional as F

ones = irtool.ones


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ones(2, foo=1), r"ones\(\) got an unexpected keyword argument 'foo' \(at test_arguments.py:"),
        (lambda: ones(2, size=(3,)), "unexpected keyword argument 'size'"),
        (lambda: irtool.rand(2, requires_gard=True), r"rand\(\) got an unexpected .* 'requires_gard'"),
        (lambda: irtool.full((2,), 1.0, foo=3), r"full\(\) got an unexpected .* 'foo'"),
        (lambda: irtool.zeros_like(ones(2), foo=3), r"zeros_like\(\) got an unexpected .* 'foo'"),
        (lambda: irtool.arange(3, step_size=1), "unexpected keyword argument 'step_size'"),
        (lambda: ones(2).new_zeros(2, foo=3), "unexpected keyword argument 'foo'"),
        (lambda: ones(2).to(foo=3), r"to\(\) got an unexpected keyword argument 'foo'"),
        (lambda: ones(2).float(foo=3), r"^float\(\) got an unexpected"),
        (lambda: ones(3, dtype="float32"), r"ones\(\): argument 'dtype' must be irtool.dtype, not str"),
        (lambda: ones(2).sum(dtype="x"), r"sum\(\): argument 'dtype' must be irtool.dtype, not str"),
        (lambda: ones(2).type(3), "dtype must be a type, str, or dtype object"),
        (lambda: irtool.equal(ones(2), 2), r"equal\(\): argument 'other' must be Tensor, not int"),
        (lambda: irtool.sum([1.0, 2.0]), r"sum\(\): argument 'input' must be Tensor, not list .*test_arguments.py:"),
        (lambda: irtool.flatten(3), r"flatten\(\): argument 'input' must be Tensor, not int"),
        (lambda: irtool.stack(3), r"stack\(\): argument 'tensors' must be tuple of Tensors, not int"),
        (lambda: irtool.cat(irtool.tensor(2.0)), r"cat\(\): argument 'tensors' must be tuple of Tensors, not Tensor"),
        (lambda: irtool.stack([ones(2), 3]), "expected Tensor as element 1 in argument 0, but got int"),
        (lambda: F.cross_entropy(ones(1, 2), [1]), r"cross_entropy\(\): argument 'target' must be Tensor, not list"),
        (lambda: F.conv2d(ones(1, 1, 2, 2), 3), r"conv2d\(\): argument 'weight' must be Tensor, not int"),
        (lambda: nn.Linear(2, 3)([1.0, 2.0]), r"linear\(\): argument 'input' must be Tensor, not list"),
        (lambda: nn.Embedding(2, 3)(1), r"embedding\(\): argument 'input' must be Tensor, not int"),
    ],
)
def test_what_no_function_takes(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_what_makes_no_difference_is_taken():
    assert irtool.zeros_like(ones(2), memory_format=irtool.preserve_format).tolist() == [0, 0]
    assert ones(size=(1,), layout=irtool.strided, pin_memory=True).tolist() == [1]
    assert irtool.full((1,), 2.0, layout=irtool.strided).tolist() == [2]


def test_attribute_errors_of_users_stay():
    class Odd(nn.Module):
        def forward(self, x):
            return F.relu(x) + self.missing

    with pytest.raises(AttributeError, match="missing"):
        Odd()(ones(2))


@pytest.mark.parametrize(
    "call",
    [
        lambda w: F.cross_entropy(ones(2, 3), irtool.tensor([0, 1]), weight=w),
        lambda w: F.nll_loss(ones(2, 3), irtool.tensor([0, 1]), weight=w),
        lambda w: F.cross_entropy(ones(2, 3), ones(2, 3), weight=w),
    ],
)
def test_weights_of_classes_fit(call):
    with pytest.raises(RuntimeError, match=r"all 3 classes or no classes but got weight tensor of shape: \[4\]"):
        call(ones(4))


def test_keys_have_values():
    attention = nn.MultiheadAttention(4, 2)
    with pytest.raises(AssertionError, match=r"key shape .*2, 3, 4.* does not match value shape .*3, 3, 4"):
        attention(ones(2, 3, 4), ones(2, 3, 4), ones(3, 3, 4))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: irtool.optim.Adam([ones(1)], differentiable=True),
            "differentiable=True is not supported.*functional_call",
        ),
        (lambda: irtool.meshgrid(ones(2), indexing="abc"), 'indexing must be one of "xy" or "ij", but received: abc'),
    ],
)
def test_values_that_no_function_takes(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()
