"""What the programs share. Data and weights come from numpy, so that every package sees the same numbers."""

from __future__ import annotations

import numpy as np
import torch

RESULTS: list[float] = []
"""Losses, and norms of what was trained."""


def wrap(function):
    """What `compiled` does; set by whoever runs a program."""
    return function


def compiled(function):
    return wrap(function)


def randn(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def rand(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=shape).astype(np.float32))


def randint(seed, high, *shape):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, high, shape))


def fill(*modules):
    """Weights of the usual size, from a seed for each parameter. Returns the modules."""
    seed = 0
    for module in modules:
        for p in module.parameters():
            values = np.random.default_rng(seed).uniform(-1, 1, tuple(p.shape))
            seed += 1
            if p.dim() > 1:
                values = values / np.sqrt(np.prod(p.shape[1:]))
            else:
                values = 0.1 * values + (1 if p.numel() and bool((p == 1).all()) else 0)
            with torch.no_grad():
                p.copy_(torch.from_numpy(np.asarray(values, np.float32)))
    return modules if len(modules) > 1 else modules[0]


def log(*values):
    for value in values:
        RESULTS.append(float(value.detach()) if isinstance(value, torch.Tensor) else float(value))


def norms(*modules):
    """Records the norm of every parameter and buffer."""
    log(*(value.double().norm() for module in modules for value in module.state_dict().values()))


def trainer(optimizer, loss_of):
    """One compiled step of the usual kind."""

    @compiled
    def step(*batch):
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss

    return step
