"""What denormal numbers cost: a recurrence that decays into them beside one that stays as it is.

    python benchmarks/denormals.py [--steps 10000] [--threads 1]

h[t] = tanh(W h[t-1]) with W = 0.9 I leaves the normal numbers of f32 after some 830 steps; with W = 1.0001 I it stays.
Both are the same program. Fails if the first takes more than 3 times as long as the second while programs flush.
"""

# pyright: basic
from __future__ import annotations

import sys
import time

import click
import irtool
from irtool import nn

WIDTH = 32
MOST = 3.0


def ratio(steps: int = 10_000, runs: int = 5) -> float:
    """How many times as long the decaying recurrence takes, by the fastest of so many runs of each."""
    cell = nn.RNN(WIDTH, WIDTH, bias=False)
    with irtool.no_grad():
        cell.weight_ih_l0.zero_()
    inputs, start = irtool.zeros(steps, 1, WIDTH), irtool.ones(1, 1, WIDTH)

    @irtool.compile
    def step() -> irtool.Tensor:
        with irtool.no_grad():
            return cell(inputs, start)[1]

    def fastest(factor: float) -> float:
        with irtool.no_grad():
            cell.weight_hh_l0.copy_(factor * irtool.eye(WIDTH))
        step()
        times: list[float] = []
        for _ in range(runs):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        return min(times)

    return fastest(0.9) / fastest(1.0001)


@click.command()
@click.option("--steps", default=10_000)
@click.option("--threads", default=1)
def main(steps: int, threads: int) -> None:
    """Prints the ratio of both times, with denormals flushed and kept."""
    irtool.set_num_threads(threads)
    found = {}
    for flush in (False, True):
        irtool.set_flush_denormal(flush)
        found[flush] = ratio(steps)
        click.echo(f"denormals {'flushed' if flush else 'kept'}: {found[flush]:.2f} times a steady recurrence")
    sys.exit(found[True] > MOST)


if __name__ == "__main__":
    main()
