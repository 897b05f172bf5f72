"""What is computed on a device and on the CPU: the expressions of the surface, and layers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import irtool
import numpy as np
from irtool import Tensor, nn

F: Any = nn.functional
R: Any = irtool.randn
T: Any = irtool.tensor


def _coverage() -> Any:
    path = Path(__file__).parent / "coverage" / "cases.py"
    spec = importlib.util.spec_from_file_location("coverage_cases", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = _coverage()
FACTORIES = re.compile(
    r"\bT\.(tensor|as_tensor|ones|zeros|arange|rand|randn|full|eye|empty|linspace|logspace|hann_window|randint|randperm"
    r"|tril_indices|triu_indices)\("
)
"""What makes tensors of numbers: there, the device is named."""


class There:
    """irtool with a device behind each factory."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: getattr(irtool, name)(*args, **{"device": self.device, **options})


def evaluate(expression: str, given: Any, device: str) -> Any:
    """The results of an expression, and the gradients that come back to what it is given."""
    leaves: dict[str, Tensor] = {}
    for name, (array, _) in given.items():
        leaves[name] = irtool.tensor(array.copy(), device=device)
        if array.dtype.kind == "f":
            leaves[name].requires_grad_()
    irtool.manual_seed(0)
    text = FACTORIES.sub(r"There.\1(", expression)
    return with_gradients(eval(text, {"T": irtool, "F": F, "There": There(device), **leaves}), list(leaves.values()))


def with_gradients(result: Any, leaves: Sequence[Tensor]) -> Any:
    """A result, and gradients of it."""
    outputs = [t for t in tensors(result) if t.requires_grad]
    if outputs:
        sum(
            (y * (1 + irtool.arange(y.numel(), device=y.device).reshape(y.shape) % 3)).sum() for y in outputs
        ).backward()
    return result, [leaf.grad for leaf in leaves]


def tensors(value: Any) -> list[Tensor]:
    """The tensors of a result."""
    if isinstance(value, Tensor):
        return [value]
    return [t for v in value for t in tensors(v)] if isinstance(value, list | tuple) else []


def differences(found: Any, expected: Any) -> str:
    """What is wrong with the results on a device, given those on the CPU."""
    these, those = tensors(found), tensors(expected)
    if len(these) != len(those):
        return f"{len(these)} tensors instead of {len(those)}"
    for x, y in zip(these, those):
        if not x.is_cuda:
            return "on the CPU"
        a, b = x.detach().cpu().numpy(), y.detach().numpy()
        if a.dtype != b.dtype or a.shape != b.shape or not np.allclose(a, b, 2e-4, 1e-5, equal_nan=True):
            return f"{a}, expected {b}"
    return "" if these or repr(found) == repr(expected) else f"{found}, expected {expected}"


class Grid(nn.Module):
    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)


class Attention(nn.Module):
    def forward(self, q: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, q, q, is_causal=True)


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Sequence[Tensor]]]] = {
    "lstm": (lambda: nn.LSTM(4, 5, 2, batch_first=True), lambda: [R(2, 3, 4)]),
    "gru": (lambda: nn.GRU(4, 5, bidirectional=True), lambda: [R(3, 2, 4)]),
    "lstm cell": (lambda: nn.LSTMCell(4, 5), lambda: [R(2, 4)]),
    "transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), lambda: [R(2, 3, 8), R(2, 4, 8)]),
    "batch norm": (lambda: nn.BatchNorm2d(3), lambda: [R(2, 3, 4, 4)]),
    "group norm": (lambda: nn.GroupNorm(2, 4), lambda: [R(2, 4, 3)]),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1, stride=2), lambda: [R(2, 3, 6, 6)]),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2), lambda: [R(2, 3, 4, 4)]),
    "max pool": (lambda: nn.MaxPool2d(2), lambda: [R(2, 3, 4, 4)]),
    "average pool": (lambda: nn.AvgPool2d(3, padding=1, count_include_pad=False), lambda: [R(2, 3, 4, 4)]),
    "adaptive pool": (lambda: nn.AdaptiveAvgPool2d((3, 2)), lambda: [R(2, 3, 4, 5)]),
    "upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), lambda: [R(1, 2, 3, 3)]),
    "embedding": (lambda: nn.Embedding(7, 3, padding_idx=0), lambda: [T([[0, 1], [6, 2]])]),
    "bag": (lambda: nn.EmbeddingBag(7, 3), lambda: [T([1, 2, 3, 4]), T([0, 2])]),
    "dropout": (lambda: nn.Dropout2d(0.5), lambda: [R(2, 4, 3, 3)]),
    "alpha dropout": (lambda: nn.AlphaDropout(0.5), lambda: [R(4, 4)]),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), lambda: [R(2, 3), R(2, 4)]),
    "padding": (lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.CircularPad2d(1)), lambda: [R(1, 2, 4, 4)]),
    "fold": (lambda: nn.Sequential(nn.Unfold(2), nn.Fold((4, 4), 2)), lambda: [R(1, 2, 4, 4)]),
    "classes": (
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1, weight=T([1.0, 2, 3])),
        lambda: [R(4, 3), T([0, 2, 1, 1])],
    ),
    "bce": (lambda: nn.BCEWithLogitsLoss(pos_weight=T([2.0])), lambda: [R(4, 3), R(4, 3).sigmoid()]),
    "triplet": (lambda: nn.TripletMarginLoss(), lambda: [R(4, 3), R(4, 3), R(4, 3)]),
    "ctc": (lambda: nn.CTCLoss(), lambda: [R(5, 2, 4).log_softmax(2), T([[1, 2], [3, 1]]), T([5, 4]), T([2, 1])]),
    "adaptive softmax": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4]), lambda: [R(3, 4), T([0, 3, 5])]),
    "spectral norm": (lambda: nn.utils.spectral_norm(nn.Linear(3, 4)), lambda: [R(2, 3)]),
    "grid": (Grid, lambda: [R(1, 2, 3, 3), T([[[1.0, 0, 0.1], [0, 1, 0]]])]),
    "attention": (Attention, lambda: [R(1, 2, 4, 3)]),
}


def trained(name: str, device: str, compiled: bool = False) -> Any:
    """The results of a layer, its gradients and buffers."""
    make, inputs = LAYERS[name]
    irtool.manual_seed(0)
    layer = make().to(device)
    given = [x.to(device) for x in inputs()]
    given = [x.detach().requires_grad_() if x.is_floating_point() else x for x in given]
    irtool.manual_seed(5)
    run = irtool.compile(layer) if compiled else layer
    leaves = [*(x for x in given if x.requires_grad), *(p for p in layer.parameters())]
    return [*with_gradients(run(*given), leaves), list(layer.buffers())]
