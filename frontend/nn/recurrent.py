"""What one step of a recurrent layer does, and how a layer runs it over a sequence.

The product with the inputs is one for all steps, outside the loop; a step multiplies the hidden state only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..ops.control import scan
from ..tensor import Tensor

Tensors = Sequence[Tensor]
Step = Callable[[Tensor, Tensors, Tensors], Tensors]
"""(projected input, state, constants) -> new state, whose first is the output"""


class Weights(NamedTuple):
    """One direction of one layer."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None = None


def tanh_step(x: Tensor, state: Tensors, constants: Tensors) -> Tensors:
    """h' = tanh(x + W h)"""
    return ((x + state[0].matmul(constants[0])).tanh(),)


def relu_step(x: Tensor, state: Tensors, constants: Tensors) -> Tensors:
    """h' = relu(x + W h)"""
    return ((x + state[0].matmul(constants[0])).relu(),)


def lstm_step(x: Tensor, state: Tensors, constants: Tensors) -> Tensors:
    """i, f, g, o = x + W h;  c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c'), projected if so asked"""
    i, f, g, o = (x + state[0].matmul(constants[0])).chunk(4, -1)
    cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * cell.tanh()
    return (hidden.matmul(constants[1]) if len(constants) > 1 else hidden), cell


def gru_step(x: Tensor, state: Tensors, constants: Tensors) -> Tensors:
    """r, z, n = x and W h;  n' = tanh(x_n + σ(r) (W h)_n);  h' = n' + σ(z) (h - n')"""
    hidden = state[0].matmul(constants[0])
    if len(constants) > 1:
        hidden = hidden + constants[1]
    size = state[0].shape[-1]
    gates = (x[..., : 2 * size] + hidden[..., : 2 * size]).sigmoid()
    new = (x[..., 2 * size :] + gates[..., :size] * hidden[..., 2 * size :]).tanh()
    return (new + gates[..., size:] * (state[0] - new),)


STEPS: dict[str, tuple[int, Step]] = {
    "RNN_TANH": (1, tanh_step),
    "RNN_RELU": (1, relu_step),
    "LSTM": (4, lstm_step),
    "GRU": (3, gru_step),
}
"""By mode: the number of gates, and the step."""


def projected(mode: str, x: Tensor, weights: Weights) -> Tensor:
    """The inputs' share of the gates, with all biases that do not depend on the state."""
    y = x.matmul(weights.ih.t())
    if weights.bias_ih is None or weights.bias_hh is None:
        return y
    # The new gate of a GRU scales its hidden bias, which therefore stays with the state.
    return y + (weights.bias_ih if mode == "GRU" else weights.bias_ih + weights.bias_hh)


def constants(mode: str, weights: Weights) -> list[Tensor]:
    """What a step takes besides input and state."""
    found = [weights.hh.t()]
    if mode == "GRU" and weights.bias_hh is not None:
        found.append(weights.bias_hh)
    if weights.hr is not None:
        found.append(weights.hr.t())
    return found


def run(
    mode: str, x: Tensor, state: Tensors, weights: Weights, reverse: bool = False, mask: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """The outputs (T, N, H) of one direction for x (T, N, F), and the last state.

    Where the mask (T, N, 1) is false, the state stays as it is.
    """
    step = STEPS[mode][1]

    def body(carried: Tensors, slices: Tensors, fixed: Tensors) -> tuple[Tensors, Tensors]:
        new = step(slices[0], carried, fixed)
        if mask is not None:
            new = [n.where(slices[1], old) for n, old in zip(new, carried)]
        return new, new[:1]

    xs = [projected(mode, x, weights)]
    if mask is not None:
        xs.append(mask)
    last, (output,) = scan(body, state, xs, constants(mode, weights), reverse)
    return output, last


def cell(mode: str, x: Tensor, state: Tensors, weights: Weights) -> Tensors:
    """One step for x (N, F)."""
    return STEPS[mode][1](projected(mode, x, weights), state, constants(mode, weights))
