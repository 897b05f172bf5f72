"""Recurrent layers and cells."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from ..creation import tensor
from ..errors import located, runtime_error
from ..ops.joining import cat, stack
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter, empty_parameter
from .recurrent import STEPS, Weights, cell, run
from .utils.rnn import PackedSequence, padded, repacked


class RNNBase(Module):
    """Layers of a recurrent network, one after the other, in one or both directions of time."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: object = None,
        dtype: object = None,
    ) -> None:
        super().__init__()
        _check_sizes(hidden_size, num_layers, dropout, proj_size, mode)
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        directions = 2 if bidirectional else 1
        gates = STEPS[mode][0] * hidden_size
        output_size = proj_size or hidden_size
        self._names: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(directions):
                width = input_size if layer == 0 else output_size * directions
                shapes = {"weight_ih": (gates, width), "weight_hh": (gates, output_size)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                suffix = f"_l{layer}{'_reverse' if direction else ''}"
                for name, shape in shapes.items():
                    setattr(self, name + suffix, empty_parameter(shape, device, dtype))
                self._names.append([name + suffix for name in shapes])
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Everything uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: the weights need no particular place in memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def _weights(self, index: int) -> Weights:
        own = {name.split("_l")[0]: getattr(self, name) for name in self._names[index]}
        return Weights(
            *(own["weight_ih"], own["weight_hh"], own.get("bias_ih"), own.get("bias_hh"), own.get("weight_hr"))
        )

    def _state_widths(self) -> tuple[int, ...]:
        """The widths of what is carried from step to step."""
        first = self.proj_size or self.hidden_size
        return (first, self.hidden_size) if self.mode == "LSTM" else (first,)

    def _run(self, input: Tensor | PackedSequence, given: tuple[Tensor, ...] | None) -> tuple[Any, list[Tensor]]:
        """Outputs and last states, laid out as the input is."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, given)
        name = type(self).__name__
        if input.ndim not in (2, 3):
            raise located(ValueError, f"{name}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        batched = input.ndim == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        self._check_input(x)
        state = self._start(x, given, batched)
        output, last = self._layers(x, state)
        if not batched:
            return output.squeeze(1), [s.squeeze(1) for s in last]
        return (output.transpose(0, 1) if self.batch_first else output), last

    def _run_packed(self, input: PackedSequence, given: tuple[Tensor, ...] | None) -> tuple[Any, list[Tensor]]:
        """A state moves on only while its sequence lasts."""
        x, mask = padded(input), input.mask()
        self._check_input(x)
        if given is not None and input.sorted_indices is not None:
            given = tuple(s.index_select(1, input.sorted_indices.to(s.device)) for s in given)
        output, last = self._layers(x, self._start(x, given, True), tensor(mask, device=x.device).unsqueeze(-1))
        if input.unsorted_indices is not None:
            last = [s.index_select(1, input.unsorted_indices.to(s.device)) for s in last]
        return repacked(output, input), last

    def _layers(self, x: Tensor, state: list[Tensor], mask: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        directions = 2 if self.bidirectional else 1
        ends: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            outputs: list[Tensor] = []
            for direction in range(directions):
                index = layer * directions + direction
                output, last = run(self.mode, x, [s[index] for s in state], self._weights(index), direction == 1, mask)
                outputs.append(output)
                ends.append(last)
            x = outputs[0] if directions == 1 else cat(outputs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        return x, [stack(parts) for parts in zip(*ends)]

    def _check_input(self, x: Tensor) -> None:
        if x.shape[-1] != self.input_size:
            raise runtime_error(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )
        if x.shape[0] == 0:
            raise runtime_error("Expected sequence length to be larger than 0 in RNN")
        weight = getattr(self, self._names[0][0])
        if x.dtype is not weight.dtype:
            raise located(ValueError, f"input must have the type {weight.dtype}, got type {x.dtype}")

    def _start(self, x: Tensor, given: tuple[Tensor, ...] | None, batched: bool) -> list[Tensor]:
        count = self.num_layers * (2 if self.bidirectional else 1)
        widths = self._state_widths()
        if given is None:
            return [x.new_zeros(count, x.shape[1], width) for width in widths]
        for k, (s, width) in enumerate(zip(given, widths)):
            if s.ndim != (3 if batched else 2):
                raise runtime_error(
                    f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, hx should also be "
                    f"{'3-D' if batched else '2-D'} but got {s.ndim}-D tensor"
                )
            expected = (count, x.shape[1], width) if batched else (count, width)
            if tuple(s.shape) != expected:
                which = f"hidden[{k}]" if len(widths) > 1 else "hidden"
                raise runtime_error(f"Expected {which} size {expected}, got {list(s.shape)}")
        return [s if batched else s.unsqueeze(1) for s in given]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in OPTIONS:
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


OPTIONS = (
    *(("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False)),
    *(("dropout", 0.0), ("bidirectional", False)),
)


class RNN(RNNBase):
    """Elman's recurrent network: h' = tanh(W x + U h)."""

    def __init__(self, *args: Any, nonlinearity: str = "tanh", **kwargs: Any) -> None:
        if len(args) > 3 and isinstance(args[3], str):
            args, nonlinearity = (*args[:3], *args[4:]), args[3]
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self_mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(self_mode, *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class LSTM(RNNBase):
    """Long short-term memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (hidden, memory) = self._run(input, None if hx is None else tuple(hx))
        return output, (hidden, memory)


class GRU(RNNBase):
    """Gated recurrent units."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class RNNCellBase(Module):
    """One step of a recurrent layer."""

    MODE: ClassVar[str]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: object = None, dtype: object = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = STEPS[self.MODE][0] * hidden_size
        self.weight_ih = empty_parameter((gates, input_size), device, dtype)
        self.weight_hh = empty_parameter((gates, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty_parameter((gates,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Everything uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _mode(self) -> str:
        return self.MODE

    def _step(self, input: Tensor, given: tuple[Tensor, ...] | None) -> list[Tensor]:
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise located(ValueError, f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for k, s in enumerate(given or ()):
            if s.ndim not in (1, 2):
                which = f"hx[{k}]" if self.MODE == "LSTM" else "hidden"
                raise located(ValueError, f"{name}: Expected {which} to be 1D or 2D, got {s.ndim}D instead")
        batched = input.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if x.shape[1] != self.input_size:
            raise runtime_error(f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}")
        count = 2 if self.MODE == "LSTM" else 1
        state = given or tuple(x.new_zeros(x.shape[0], self.hidden_size) for _ in range(count))
        if not batched and given:
            state = tuple(s.unsqueeze(0) for s in given)
        for s in state:
            if s.shape[-1] != self.hidden_size:
                raise runtime_error(
                    f"hidden0 has inconsistent hidden_size: got {s.shape[-1]}, expected {self.hidden_size}"
                )
        new = cell(self._mode(), x, state, Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh))
        return [s if batched else s.squeeze(0) for s in new]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """h' = tanh(W x + U h), or relu."""

    MODE = "RNN_TANH"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: object = None,
        dtype: object = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def _mode(self) -> str:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return f"RNN_{self.nonlinearity.upper()}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM."""

    MODE = "LSTM"

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        hidden, memory = self._step(input, None if hx is None else tuple(hx))
        return hidden, memory


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    MODE = "GRU"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))[0]


def _check_sizes(hidden_size: int, num_layers: int, dropout: float, proj_size: int, mode: str) -> None:
    if isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=5,
        )
    if hidden_size <= 0:
        raise ValueError("hidden_size must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell"]
