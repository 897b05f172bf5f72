"""How fast generated contractions are, beside numpy's (and PyTorch's, if it is installed).

    python benchmarks/contraction.py [NAME...] [--threads 2] [--seconds 0.5]

Each is one kernel, timed by itself: the smallest of many runs, in microseconds and GFLOP/s.
"""

# pyright: basic
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import irtool
import numpy as np
from irtool.dialects.text import parse_module
from irtool.runtime.compiler import compile_module


@dataclass(frozen=True)
class Shape:
    """A batched product of (m, k) by (k, n); `turned` factors are stored the other way around."""

    m: int
    k: int
    n: int
    turned: str = ""
    batch: int = 0

    @property
    def flops(self) -> int:
        return 2 * self.m * self.k * self.n * max(1, self.batch)

    def module(self) -> str:
        """The product in hl."""
        head = f"{self.batch}x" if self.batch else ""
        permutation = "[0, 2, 1]" if self.batch else "[1, 0]"
        parameters: list[str] = []
        lines: list[str] = []
        operands: list[tuple[str, str]] = []
        for name, rows, columns in (("a", self.m, self.k), ("b", self.k, self.n)):
            wanted = f"tensor<{head}{rows}x{columns}xf32>"
            stored = f"tensor<{head}{columns}x{rows}xf32>" if name in self.turned else wanted
            parameters.append(f"%{name}: {stored}")
            if name in self.turned:
                lines.append(f"  %{name}t = hl.transpose %{name} {permutation} : {stored} -> {wanted}")
            operands.append((f"%{name}t" if name in self.turned else f"%{name}", wanted))
        result = f"tensor<{head}{self.m}x{self.n}xf32>"
        types = ", ".join(type_ for _, type_ in operands)
        lines.append(f"  %c = hl.matmul {operands[0][0]}, {operands[1][0]} : {types} -> {result}")
        body = "\n".join(lines)
        return f"func.func @step({', '.join(parameters)}) -> {result} {{\n{body}\n  func.return %c : {result}\n}}\n"

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both factors as stored, and a place for the result, on their own cache lines."""
        head = (self.batch,) if self.batch else ()
        rng = np.random.default_rng(0)
        made: list[np.ndarray] = []
        for name, rows, columns in (("a", self.m, self.k), ("b", self.k, self.n), ("c", self.m, self.n)):
            shape = (*head, columns, rows) if name in self.turned else (*head, rows, columns)
            size = int(np.prod(shape))
            raw = np.empty(size + 16, np.float32)
            start = -raw.ctypes.data % 64 // 4
            made.append(raw[start : start + size].reshape(shape))
            made[-1][...] = rng.standard_normal(shape)
        return made[0], made[1], made[2]


SHAPES = {
    "mlp-forward": Shape(64, 784, 256, "b"),
    "mlp-weight": Shape(256, 64, 784, "a"),
    "mlp-input": Shape(64, 256, 784),
    "mlp-logits": Shape(64, 256, 10, "b"),
    "text-forward": Shape(32, 10000, 128, "b"),
    "text-weight": Shape(128, 32, 10000, "a"),
    "square-128": Shape(128, 128, 128),
    "square-512": Shape(512, 512, 512),
    "square-1024": Shape(1024, 1024, 1024),
    "square-1000": Shape(1000, 1000, 1000, "b"),
    "gpt-up": Shape(256, 768, 3072, "b"),
    "gpt-down": Shape(256, 3072, 768, "b"),
    "scores": Shape(128, 32, 128, "b", batch=32),
    "attention": Shape(128, 128, 32, batch=32),
    "vector": Shape(1, 1024, 1024, "b"),
    "few-rows": Shape(8, 1024, 1024, "b"),
    "long": Shape(16, 65536, 32, "a"),
}


def best(function: Callable[[], object], seconds: float) -> float:
    """The shortest run."""
    function()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def peers(shape: Shape, threads: int) -> dict[str, Callable[[], object]]:
    """The same product by others."""
    a, b, c = shape.arrays()
    x, y = (v.swapaxes(-1, -2) if name in shape.turned else v for name, v in (("a", a), ("b", b)))
    found: dict[str, Callable[[], object]] = {"numpy": lambda: np.matmul(x, y, out=c)}
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        return found
    torch.set_num_threads(threads)
    tx, ty, tc = (torch.from_numpy(v) for v in (x, y, c))
    return found | {"torch": lambda: torch.matmul(tx, ty, out=tc)}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SHAPES)))
@click.option("--threads", default=2, show_default=True)
@click.option("--seconds", default=0.5, show_default=True, help="How long to time each.")
def main(names: tuple[str, ...], threads: int, seconds: float) -> None:
    """Times contractions against other libraries."""
    irtool.set_num_threads(threads)
    for name in names or SHAPES:
        shape = SHAPES[name]
        a, b, c = shape.arrays()
        call = compile_module(parse_module(shape.module())).bind([v.ctypes.data for v in (a, b, c)])
        ours = best(call.run, seconds)
        x, y = (v.swapaxes(-1, -2) if which in shape.turned else v for which, v in (("a", a), ("b", b)))
        np.testing.assert_allclose(c, np.matmul(x, y), rtol=1e-3, atol=1e-3 * shape.k**0.5)
        line = f"{name:14} {ours * 1e6:9.1f} us {shape.flops / ours / 1e9:6.0f} GFLOP/s"
        for peer, function in peers(shape, threads).items():
            other = best(function, seconds)
            line += f" | {peer} {other * 1e6:9.1f} us, {other / ours:5.2f} x"
        click.echo(line)


if __name__ == "__main__":
    main()
