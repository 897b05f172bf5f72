"""What has the same memory as what: a table of bases and functions, which PyTorch and irtool both run.

A base is made of numbers that say where they lie in its memory, so that a view's values say what it shows.
"""

from __future__ import annotations

import re
from typing import Any

BASES = {
    "matrix": "m.arange(12.).view(3, 4)",
    "turned": "m.arange(12.).view(3, 4).t()",
    "columns": "m.arange(12.).view(3, 4)[:, ::2]",
    "far": "m.arange(12.).view(3, 4)[::5, 1:]",
    "row": "m.arange(4.).view(1, 4)",
    "column": "m.arange(4.).view(4, 1)",
    "line": "m.arange(6.)",
    "strided": "m.arange(12.)[1::3]",
    "number": "m.arange(1.)[0]",
    "empty": "m.zeros(0, 3)",
    "hollow": "m.zeros(3, 0).t()",
    "cube": "m.arange(24.).view(2, 3, 4)",
    "nested": "m.arange(24.).view(2, 3, 4).transpose(0, 2)[1:, :, 0].t()",
    "square": "m.arange(9.).view(3, 3)[:2]",
    "expanded": "m.arange(3.).expand(2, 3)",
    "wide": "m.arange(3.).view(3, 1).expand(3, 4)",
    "units": "m.arange(6.).view(1, 2, 1, 3)",
    "ints": "m.arange(12).view(3, 4).t()[1:]",
}
FUNCTIONS = """
x
x.t()
x.T
x.mT
x.transpose(0, 1)
x.transpose(-1, 0)
x.permute(tuple(range(x.dim()))[::-1])
x.movedim(0, -1)
x.swapaxes(0, 1)
x.view(-1)
x.view(x.shape)
x.view(*x.shape, 1)
x.view(2, -1)
x.view(-1, 2)
x.view_as(x)
x.reshape(-1)
x.reshape(2, -1)
x.reshape(x.shape)
x.reshape(1, *x.shape)
x.flatten()
x.flatten(1)
x.ravel()
m.ravel(x)
x.unflatten(-1, (-1, 1))
x.unflatten(0, (1, -1))
x.contiguous()
x.squeeze()
x.squeeze(0)
x.squeeze(-1)
x.unsqueeze(0)
x.unsqueeze(-1)
x[0]
x[-1]
x[...]
x[:]
x[None]
x[..., None]
x[1:]
x[:-1]
x[::2]
x[1::7]
x[2:1]
x[:, 0]
x[:, 1:]
x[:, ::3]
x[..., 0]
x[1:, :-1]
x[0, ..., None]
x[x.shape[0] - 1:]
x.narrow(0, 0, 1)
x.narrow(-1, 1, 0)
x.select(-1, 0)
x.select(0, -1)
x.unbind(0)[0]
x.unbind(-1)[-1]
x.split(2)[0]
x.split(1, -1)[-1]
x.chunk(2, -1)[0]
x.tensor_split(2)[1]
x.hsplit(1)[0]
x.diagonal()
x.diagonal(1)
x.diagonal(-1)
x.diagonal(9)
x.unfold(0, 1, 1)
x.unfold(0, 1, 3)
x.unfold(-1, 2, 2)
x.unfold(-1, 2, 1)
x.unfold(-1, 2, 3)
x.unfold(0, x.shape[0], 1)
x.unfold(0, 0, 1)
x.expand(x.shape)
x.expand(2, *x.shape)
x.expand(2, *x.shape)[0]
x.expand(2, *x.shape)[:, 0][1]
x[:1].expand(3, *x.shape[1:])
x[:1].expand(3, *x.shape[1:])[1]
x.expand_as(x)
x.broadcast_to(x.shape)
m.broadcast_to(x, (2, *x.shape))[1:]
m.broadcast_tensors(x, x[:1])[0]
m.atleast_1d(x)
m.atleast_2d(x)
m.atleast_3d(x)
x.detach()
x.data
x.to(x.dtype)
x.float()
x.type_as(x)
x.real
x.conj()
m.as_tensor(x)
m.asarray(x)
m.nn.functional.dropout(x, 0.5, False)
m.nn.Flatten(0)(x)
m.nn.Identity()(x)
x.t()[1:].t()
x.view(-1)[1:].unsqueeze(0)
x.t()[:, 1]
x.unsqueeze(0).transpose(0, 1)[:, 0]
x.diagonal()[1:]
x[1:].diagonal()
x.t().diagonal(1)
x[:, 1:][::2].t()
x.unfold(0, 2, 2).transpose(-1, 0)[0]
x.squeeze().unsqueeze(0).squeeze()
x.clone()
x.flip(0)
x.roll(1, 0)
x.repeat(1, *[1] * x.dim())
x.tile(1)
x[x.shape[0] * [0]]
x[x > -1]
x.gather(0, m.zeros(1, *x.shape[1:], dtype=m.int64))
x.double()
x + 0
x.abs()
m.cat([x])
m.stack([x])
m.cat([x[:1]])
x.triu()
x.rot90(0)
m.hstack([x])
m.meshgrid(x, indexing='ij')[0]
m.where(x > -1, x, x)
x.sort(-1).values
x.sum(())
x.movedim(0, 0)
x.swapdims(0, -1)
x.expand(-1, *x.shape[1:])
x.reshape(*x.shape[:-1], -1, 1)
x.flatten(-1)
x.view(x.shape[0], -1)
x.narrow(0, 1, 1).squeeze(0)
x.select(0, 0).unsqueeze(-1)
"""


def functions() -> list[str]:
    """The functions, as expressions of `x`; `m` is the module."""
    return FUNCTIONS.split("\n")[1:-1]


def base(m: Any, name: str) -> tuple[Any, Any]:
    """A base: the tensor, and the whole memory in the order in which it lies."""
    expression = BASES[name]
    start = re.match(r"m\.\w+\([^)]*\)", expression)
    assert start is not None
    memory = eval(start.group(), {"m": m})
    return eval("memory" + expression[start.end() :], {"memory": memory}), memory


def made(m: Any, x: Any, function: str) -> Any:
    """What a function makes of a tensor."""
    return eval(function, {"m": m, "x": x})


def write_through(m: Any, x: Any, function: str) -> Any:
    """Writes to what a function makes of a tensor."""
    return made(m, x, function).add_(100)


def write_before(m: Any, x: Any, function: str) -> Any:
    """What a function has made of a tensor, after writing to that."""
    y = made(m, x, function)
    x[...] = 1000
    return (y * 1).reshape(-1)


def outcome(run: Any, *args: Any) -> Any:
    """What a call gives, or the name of what it raises."""
    try:
        return run(*args)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        return type(error).__name__


def seen(memory: Any, least: float) -> str:
    """Which numbers are at least so large: all, none, or as a string of digits, where `.1.` is the second of three."""
    large = [value >= least for value in memory.reshape(-1).tolist()]
    return "all" if all(large) else "".join("1" if each else "." for each in large) if any(large) else "none"


def observed(m: Any, name: str, functions: list[str], run: Any = lambda f, *args: f(*args)) -> list[str]:
    """What can be seen of one base and each function: the shape of the result; what of the memory changes with it,
    when it is written to from outside, and by the same call; and what of it changes with the base."""
    x, memory = base(m, name)
    start = memory.clone()
    results = run(lambda x: [outcome(made, m, x, f) for f in functions], x)
    views: list[str] = []
    for y in results:
        written = y if isinstance(y, str) else outcome(y.add_, 100)
        views.append(written if isinstance(written, str) else seen(memory, 100))
        memory.copy_(start)
    inside, after = ([base(m, name) for _ in functions] for _ in range(2))
    writes = run(lambda xs: [outcome(write_through, m, x, f) for x, f in zip(xs, functions)], [x for x, _ in inside])
    reads = run(lambda xs: [outcome(write_before, m, x, f) for x, f in zip(xs, functions)], [x for x, _ in after])
    found: list[str] = []
    for y, view, write, (_, memory), read in zip(results, views, writes, inside, reads):
        if isinstance(y, str):
            found.append(y)
            continue
        # How copies lie in memory is no matter: ours are always row by row.
        layout = "-" if view in ("none", "RuntimeError") else "row by row" if y.is_contiguous() else "strided"
        within = write if isinstance(write, str) else seen(memory, 100)
        behind = read if isinstance(read, str) else seen(read, 1000)
        found.append(f"{list(y.shape)} {layout} {view} {within} {behind}")
    return found
