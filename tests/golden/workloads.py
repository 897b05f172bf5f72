"""The models of the benchmark, trained for ten steps: on PyTorch to record losses, on irtool to compare.

Parameters and batches come from numpy, so that both packages start alike without a checkpoint; dropout is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Torch = Any
Array = np.ndarray[Any, Any]
STEPS = 10


class Work(NamedTuple):
    """A model of a package's `nn`, its loss, its optimizer, and a batch."""

    model: Callable[[Torch], Any]
    loss: Callable[[Torch, Any, Any], Any]
    optimizer: tuple[str, float]
    batch: Callable[[np.random.Generator], tuple[Array, Array]]
    tolerance: float = 1e-3
    """Of losses and gradients, relative."""
    double: bool = False
    """Whether to compute in float64."""


def cross_entropy(torch: Torch, output: Any, y: Any) -> Any:
    """Of one class a sample."""
    return torch.nn.functional.cross_entropy(output, y)


def binary(torch: Torch, output: Any, y: Any) -> Any:
    """Of one logit a sample."""
    return torch.nn.functional.binary_cross_entropy_with_logits(output.squeeze(-1), y)


def language(torch: Torch, output: Any, y: Any) -> Any:
    """Of one class a position."""
    return torch.nn.functional.cross_entropy(output.view(-1, output.shape[-1]), y.view(-1))


def mlp(torch: Torch) -> Any:
    """784-256-10."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn(torch: Torch) -> Any:
    """Three convolutions and two linear layers for CIFAR-10."""
    nn, F = torch.nn, torch.nn.functional

    class CNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 32, 3)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(32, 64, 3)
            self.conv3 = nn.Conv2d(64, 64, 3)
            self.fc1 = nn.Linear(64 * 4 * 4, 64)
            self.dropout = nn.Dropout(0.0)
            self.fc2 = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = F.relu(self.conv3(x)).view(-1, 64 * 4 * 4)
            return self.fc2(self.dropout(F.relu(self.fc1(x))))

    return CNN()


def text(torch: Torch) -> Any:
    """A bag of 10,000 words through three linear layers."""
    nn = torch.nn
    return nn.Sequential(
        *(nn.Linear(10000, 128), nn.ReLU(), nn.Dropout(0.0), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    )


def lstm(torch: Torch) -> Any:
    """The last output of an LSTM over embedded words."""
    nn = torch.nn

    class Sentiment(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(10000, 128)
            self.lstm = nn.LSTM(128, 128, batch_first=True)
            self.fc = nn.Linear(128, 1)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(self.emb(x))
            return self.fc(output[:, -1])

    return Sentiment()


def resnet18(torch: Torch) -> Any:
    """ResNet-18 for images of 32 x 32."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, i: int, o: int, stride: int) -> None:
            super().__init__()
            self.c1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
            self.b1 = nn.BatchNorm2d(o)
            self.c2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
            self.b2 = nn.BatchNorm2d(o)
            self.down = None
            if stride != 1 or i != o:
                self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

        def forward(self, x: Any) -> Any:
            y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
            return F.relu(y + (x if self.down is None else self.down(x)))

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.bn = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            blocks, i = [], 64
            for o, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
                blocks += [Block(i, o, stride), Block(o, o, 1)]
                i = o
            self.layers = nn.Sequential(*blocks)
            self.fc = nn.Linear(512, 10)

        def forward(self, x: Any) -> Any:
            return self.fc(self.layers(F.relu(self.bn(self.stem(x)))).mean((2, 3)))

    return ResNet()


def gpt(torch: Torch, vocabulary: int, context: int, layers: int, width: int, heads: int) -> Any:
    """GPT-2's architecture, with the head tied to the embedding."""
    nn, F = torch.nn, torch.nn.functional

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            B, T, D = x.shape
            q, k, v = (t.view(B, T, heads, D // heads).transpose(1, 2) for t in self.qkv(x).split(D, dim=2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).reshape(B, T, D))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.l1, self.a, self.l2 = nn.LayerNorm(width), Attention(), nn.LayerNorm(width)
            self.f1, self.f2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            x = x + self.a(self.l1(x))
            return x + self.f2(F.gelu(self.f1(self.l2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
            self.head.weight = self.wte.weight

        def forward(self, i: Any) -> Any:
            x = self.wte(i) + self.wpe(torch.arange(i.shape[1], device=i.device))
            return self.head(self.ln(self.blocks(x)))

    return GPT()


def tokens(vocabulary: int, *shape: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    """Random words, and those to predict."""
    return lambda rng: (rng.integers(0, vocabulary, shape), rng.integers(0, vocabulary, shape))


def samples(classes: int, *shape: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    """Random features, and a class for each sample."""
    return lambda rng: (rng.standard_normal(shape, np.float32), rng.integers(0, classes, shape[:1]))


WORKLOADS: dict[str, Work] = {
    "mlp": Work(mlp, cross_entropy, ("SGD", 0.01), samples(10, 64, 784)),
    "cnn": Work(cnn, cross_entropy, ("Adam", 1e-3), samples(10, 32, 3, 32, 32)),
    "text": Work(
        text,
        cross_entropy,
        ("Adam", 1e-3),
        lambda rng: (np.maximum(rng.standard_normal((32, 10000), np.float32), 0), rng.integers(0, 2, 32)),
    ),
    "lstm": Work(
        lstm,
        binary,
        ("Adam", 1e-3),
        lambda rng: (rng.integers(0, 10000, (32, 200)), rng.integers(0, 2, 32).astype(np.float32)),
    ),
    # In float32 a ReLU's input near 0 falls on either side of it, and one such sign moves the first gradients by 2e-3.
    # From PyTorch's own float64, first gradients and ten losses are at most so far: PyTorch 2.3e-3 and 1.3e-3 (without
    # oneDNN 1.1e-2 and 3.6e-3), irtool 1.9e-3 and 1.1e-3; from other weights, the gradients of PyTorch up to 3.5e-3,
    # of irtool up to 5e-3, the errors of the losses with either sign. In float64 both packages agree to 1e-12.
    "resnet18": Work(resnet18, cross_entropy, ("SGD", 0.01), samples(10, 16, 3, 32, 32), 4e-3),
    "resnet18-f64": Work(resnet18, cross_entropy, ("SGD", 0.01), samples(10, 16, 3, 32, 32), 1e-6, double=True),
    "gpt-nano": Work(lambda t: gpt(t, 65, 128, 4, 128, 4), language, ("AdamW", 3e-4), tokens(65, 8, 128)),
    "gpt2-124m": Work(lambda t: gpt(t, 50257, 1024, 12, 768, 12), language, ("AdamW", 3e-4), tokens(50257, 4, 64)),
}


def initialize(torch: Torch, module: Any) -> None:
    """Linear and convolution weights uniform within 1 / sqrt(fan), embeddings normal; norms stay as they are."""
    rng = np.random.default_rng(4)
    kinds = tuple(getattr(torch.nn, n) for n in ("Linear", "Conv2d", "Embedding", "LSTM"))
    done: set[int] = set()
    with torch.no_grad():
        for layer in module.modules():
            if not isinstance(layer, kinds):
                continue
            for p in layer.parameters(recurse=False):
                if id(p) in done:
                    continue
                done.add(id(p))
                shape = tuple(p.shape)
                if isinstance(layer, torch.nn.Embedding):
                    values = rng.standard_normal(shape, np.float32) * (0.02 if shape[0] > 20000 else 1.0)
                else:
                    fan = math.prod(tuple(next(iter(layer.parameters())).shape)[1:])
                    values = (rng.random(shape, np.float32) * 2 - 1) / math.sqrt(fan)
                p.copy_(torch.from_numpy(values.astype(np.float32)))


def train(
    torch: Torch,
    name: str,
    wrap: Callable[[Any], Any] = lambda f: f,
    prepare: Callable[[Any, Any], None] = initialize,
    steps: int = STEPS,
) -> Iterator[tuple[float, dict[str, Any]]]:
    """The loss of each step, and the gradients that led to it."""
    work = WORKLOADS[name]
    model = work.model(torch)
    prepare(torch, model)
    if work.double:
        model.double()
    kind, rate = work.optimizer
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=rate)
    arrays = work.batch(np.random.default_rng(5))
    batch = [torch.from_numpy(a.astype(np.float64) if work.double and a.dtype == np.float32 else a) for a in arrays]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = work.loss(torch, model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    for _ in range(steps):
        loss = step(*batch).item()
        yield loss, {key: p.grad for key, p in model.named_parameters()}


def recorded(torch: Torch, name: str, wrap: Callable[[Any], Any] = lambda f: f) -> dict[str, Any]:
    """The losses, and of the first gradients their norms and one weighted sum each."""
    found: dict[str, Any] = {"losses": [], "norms": {}, "sums": {}}
    for loss, gradients in train(torch, name, wrap):
        if not found["losses"]:
            for key, g in gradients.items():
                values = np.asarray(g.detach().numpy(), np.float64).reshape(-1)
                found["norms"][key] = float(np.sqrt((values * values).sum()))
                found["sums"][key] = float((values * np.cos(np.arange(values.size))).sum())
        found["losses"].append(loss)
    return found
