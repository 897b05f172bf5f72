"""A GPU's verdict: `make gpu-test`, `make gpu-bench`. docs/gpu.md says how to come to a machine that has one.

python -m tests.gpu record    what the emulator computes, for `test` to compare with (no GPU needed)
python -m tests.gpu test      every op, training steps, the same bits twice
python -m tests.gpu bench     the workloads beside PyTorch; kernels beside what the device can do
"""

from __future__ import annotations

import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from irtool.runtime.cuda.bindings import CUDAUnavailable

from .report import RESULTS, Report, in_process

NAMES = ("mlp", "cnn", "text", "lstm", "resnet18", "gpt-nano", "gpt2-124m")
CAP = 60.0
"""Seconds of one workload in one package."""


@click.group()
def main() -> None:
    """Checks and measurements on a GPU."""


@main.command()
def record() -> None:
    """Records what the emulator computes."""
    from . import checks

    click.echo(json.dumps(checks.record(), indent=1))


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def test(out: Path) -> None:
    """Compares the device with the emulator, and with itself."""
    from . import checks

    report = Report("gpu-test", out)
    report.section("runtime path", checks.row_kernel)
    report.section("ops", checks.check_ops)
    for name in checks.PROGRAMS:
        report.section(name, lambda name=name: checks.check_program(name))
    _finish(report)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def bench(out: Path) -> None:
    """Measures the workloads and their kernels."""
    from . import ceilings

    report = Report("gpu-bench", out)
    peak: dict[str, Any] = report.section("ceilings", ceilings.measure)
    peers = ["eager", "compiled"] if find_spec("torch") else []
    for name in NAMES:

        def run(package: str, name: str = name) -> dict[str, Any]:
            return in_process("one", name, package, seconds=min(CAP, report.left))

        found = report.section(f"{name} irtool", lambda: beside(run("irtool"), peak))
        for package in peers:
            theirs = report.section(f"{name} {package}", lambda package=package: run(package))
            if "ms" in found and "ms" in theirs:
                theirs["times irtool's"] = round(theirs["ms"] / found["ms"], 3)
    if peers:
        report.section("geometric means", lambda: means(report.found["sections"]))
    _finish(report)


@main.command()
@click.argument("name", type=click.Choice(NAMES))
@click.argument("package", type=click.Choice(["irtool", "eager", "compiled"]))
def one(name: str, package: str) -> None:
    """One workload in one package, in a process of its own."""
    from . import steps

    click.echo(json.dumps(steps.ours(name) if package == "irtool" else steps.theirs(name, package == "compiled")))


def beside(found: dict[str, Any], peak: dict[str, Any]) -> dict[str, Any]:
    """Kernels in percent of the ceilings."""
    for row in found.get("kernels", []) if "copy GB/s" in peak else []:
        row["% of copy"] = round(100 * row["GB/s"] / peak["copy GB/s"], 1)
        row["% of f32"] = round(100 * row["TFLOP/s"] / peak["f32 TFLOP/s"], 1)
    return found


def means(sections: dict[str, Any]) -> dict[str, float]:
    """How many times as long steps take in PyTorch, over the workloads."""
    found: dict[str, float] = {}
    for package in ("eager", "compiled"):
        ratios = [
            s["times irtool's"] for name, s in sections.items() if name.endswith(package) and "times irtool's" in s
        ]
        if ratios:
            found[package] = round(math.exp(sum(map(math.log, ratios)) / len(ratios)), 3)
    return found


def _finish(report: Report) -> None:
    click.echo(f"written to {report.path}")
    if failures := report.failures():
        click.echo(f"failed: {', '.join(failures)}", err=True)
        sys.exit(1)


try:
    main()
except CUDAUnavailable as error:
    sys.exit(f"error: {error}")
