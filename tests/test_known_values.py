"""Numbers that Python asks for while a function is traced, and that follow from constants or lie in buffers."""

from __future__ import annotations

import functools

import irtool
import numpy as np
import pytest
from irtool import nn

compiled = functools.partial(irtool.compile, target="reference")


def same(f, *arguments):
    np.testing.assert_allclose(compiled(f)(*arguments).numpy(), f(*arguments).numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[~irtool.eye(3, dtype=irtool.bool)].view(3, -1),
        lambda x: x[irtool.arange(3) > 0],
        lambda x: x[: irtool.tensor([1, 2]).sum()],
        lambda x: x * irtool.tensor([2.0, 3.0]).max().item(),
        lambda x: x + 1 if (irtool.arange(4) % 2).any() else x,
        lambda x: sum(x[int(k)] for k in irtool.unique(irtool.tensor([2, 0, 2]))),
        lambda x: x.repeat_interleave(irtool.arange(3), 0),
        lambda x: x * float(np.asarray(irtool.linspace(0, 1, 3))[1]),
    ],
)
def test_what_follows_from_constants(f):
    same(f, irtool.rand(3, 3))


class Queue(nn.Module):
    """Keys in a ring, and whether there have been any."""

    def __init__(self):
        super().__init__()
        self.register_buffer("keys", irtool.zeros(6, 2))
        self.register_buffer("place", irtool.zeros(1, dtype=irtool.long))
        self.register_buffer("ready", irtool.tensor(0.0))

    def forward(self, x):
        if not self.ready:
            self.keys += 1
            self.ready.fill_(1)
        at = int(self.place)
        self.keys[at : at + len(x)] = x
        self.place[0] = (at + len(x)) % 6
        return self.keys.sum()


def test_buffers_that_python_reads():
    """A program for each content, of which there are few."""
    eager, queue = Queue(), Queue()
    f = compiled(queue)
    for k in range(10):
        x = irtool.full((2, 2), k)
        assert f(x).item() == eager(x).item()
    assert queue.place.item() == eager.place.item() == 2
    assert len(f.programs()) == 4


def test_a_buffer_that_somebody_writes_to():
    mask = irtool.tensor([True, False, True])
    f = compiled(lambda x: x[mask].view(-1, 1))
    assert f(irtool.arange(3)).tolist() == [[0], [2]]
    mask[1] = True
    assert f(irtool.arange(3)).tolist() == [[0], [1], [2]]
    mask.numpy()[0] = False
    assert f(irtool.arange(3)).tolist() == [[1], [2]]


def test_selections_rely_on_no_mask_without_need():
    mask = irtool.tensor([True, False, True])
    f = compiled(lambda x: x[mask].sum())
    assert f(irtool.arange(3)).item() == 2
    mask.fill_(True)
    assert f(irtool.arange(3)).item() == 3
    assert len(f.programs()) == 1


@pytest.mark.parametrize(
    "read", [lambda x, w: x.sum().item(), lambda x, w: w.item(), lambda x, w: irtool.rand(1).item()]
)
def test_what_each_call_finds_anew_is_unknown(read):
    w = nn.Parameter(irtool.ones(1))
    with pytest.raises(RuntimeError, match="needs the value of a tensor"):
        compiled(lambda x: x * read(x, w))(irtool.ones(2))


def test_an_argument_that_is_captured_too():
    """It has one gradient, whichever way it is named."""
    w = irtool.ones(2, requires_grad=True)

    @compiled
    def f(x):
        w.grad = None
        loss = (x * x).sum()
        loss.backward()
        return loss

    for k in range(1, 4):
        assert f(w).item() == pytest.approx(2 * k * k)
        assert w.grad.tolist() == pytest.approx([2 * k] * 2)
        with irtool.no_grad():
            w += 1
    other = irtool.ones(2, requires_grad=True)
    f(other)
    assert w.grad is None and other.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("mode", [lambda f: f, compiled])
def test_gradients_taken_in_the_backward_of_a_function(mode):
    """By weights whose transpose forward has made already: it is made again where the gradient is taken."""
    layer = nn.Linear(2, 2, bias=False)
    with irtool.no_grad():
        layer.weight.copy_(irtool.tensor([[1.0, 2.0], [3.0, 4.0]]))

    class Again(irtool.autograd.Function):
        @staticmethod
        def forward(ctx, x, weights):
            with irtool.no_grad():
                y = layer(x) ** 2
            ctx.save_for_backward(x)
            return y

        @staticmethod
        def backward(ctx, dy):
            with irtool.enable_grad():
                x = ctx.saved_tensors[0].detach().requires_grad_()
                dx, dw = irtool.autograd.grad(layer(x) ** 2, (x, layer.weight), dy)
            return dx, dw.flatten()

    def f(x):
        layer.zero_grad()
        Again.apply(x, layer.weight.view(-1)).sum().backward()
        return layer.weight.grad

    assert mode(f)(irtool.ones(1, 2)).tolist() == [[6.0, 6.0], [14.0, 14.0]]


def test_lengths_of_sequences_among_the_arguments():
    """A program for each, as for lists of them."""
    rnn = nn.GRU(2, 3, batch_first=True)

    def run(x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], batch_first=True)[0]

    f, x = compiled(run), irtool.rand(2, 4, 2)
    for lengths in ([4, 2], [3, 4], [4, 2]):
        given = irtool.tensor(lengths)
        np.testing.assert_allclose(f(x, given).detach().numpy(), run(x, given).detach().numpy(), rtol=1e-5)
    assert len(f.programs()) == 2 and "lengths of sequences" in f.explain()
