"""Trains a small model by each optimizer of this folder, on the package that is to stand for `torch`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..programs.runner import standing_for_torch

HERE = Path(__file__).parent
FILES = ("moments", "momenta", "wrappers")
STEPS = 7


@contextmanager
def modules(package: Any) -> Generator[list[Any]]:
    """The files of this folder, on a package."""
    with standing_for_torch(package, HERE, FILES):
        yield [import_module(file) for file in FILES]


def names(package: Any) -> list[str]:
    """Those of all optimizers: `moments.RAdam`."""
    with modules(package) as files:
        return [f"{file.__name__}.{make.__name__}" for file in files for make in file.OPTIMIZERS]


def train(package: Any, name: str, wrap: Callable[[Any], Any] = lambda function: function) -> list[float]:
    """Losses, weights, and all numbers in the state and attributes of the optimizer."""
    with modules(package) as files:
        nn: Any = import_module("torch.nn")
        file, _, name = name.partition(".")
        make = next(m for f in files if f.__name__ == file for m in f.OPTIMIZERS if m.__name__ == name)
        rng = np.random.default_rng(0)

        def normal(*shape: int) -> Any:
            return package.from_numpy(rng.standard_normal(shape).astype(np.float32))

        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        with package.no_grad():
            for p in model.parameters():
                p.copy_(normal(*p.shape) * 0.5)
        optimizer = make(model.parameters() if isinstance(make, type) else model)

        def usual(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(optimizer.step if type(optimizer).__name__ == "Trainer" else usual)
        losses = [step(normal(6, 3), normal(6, 2)).item() for _ in range(STEPS)]
        weights = [x for p in model.parameters() for x in p.detach().numpy().ravel().tolist()]
        return [*losses, *weights, *numbers(optimizer, package.Tensor)]


def numbers(value: Any, tensor: type, seen: set[int] | None = None) -> list[float]:
    """All numbers that can be reached from an object, in the order in which they are found."""
    seen = set() if seen is None else seen
    if isinstance(value, tensor):
        return copy.deepcopy(value).detach().numpy().astype(float).ravel().tolist()  # pyright: ignore
    if isinstance(value, (bool, int, float)):
        return [float(value)]
    if id(value) in seen or isinstance(value, (str, type)):
        return []
    seen.add(id(value))
    parts: Any = value.values() if isinstance(value, dict) else value if hasattr(value, "__iter__") else ()
    attributes = {} if type(value).__name__ in ("Sequential", "function", "method") else getattr(value, "__dict__", {})
    own = [v for k, v in attributes.items() if not k.startswith("_") and k not in ("runtime_keys", "defaults")]
    return [x for part in (*parts, *own) for x in numbers(part, tensor, seen)]
