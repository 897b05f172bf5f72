"""What a change of the compiler's structure changes in its output: the texts of the workloads, before and after.

    python -m tests.stage_texts write FOLDER [-w mlp,cnn]     every stage and the C of each workload, by this checkout
    python -m tests.stage_texts compare BEFORE AFTER          fails unless they differ just in what RENAMED says

Run `write` with the interpreter of each checkout, then `compare` with that of the later one.
"""

from __future__ import annotations

import difflib
import os
import re
import warnings
from pathlib import Path
from typing import Any

import click
import irtool

from .golden import workloads

STAGES = ("traced", "hl", "kernels", "linalg", "memref", "loops")

RENAMED: tuple[tuple[str, str, str], ...] = (
    (r"\bgranule = ", "chunk = ", "what shares of work are whole multiples of has the standard name"),
    (r"\bpiece(?=s\b|_\d|\b)", "chunk", "of work, in contractions: the standard name"),
    (r"\Abuiltin\.module \{", 'builtin.module attributes {irtool.level = "STAGE"} {', "a module says its level"),
)
"""Intended changes: a pattern in the texts of before, what stands there now (STAGE: the text's stage), and why."""


def texts(name: str) -> dict[str, str]:
    """A compiled training step's texts by file name."""
    steps: list[Any] = []

    def compiled(step: Any) -> Any:
        steps.append(irtool.compile(step))
        return steps[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gradients are read that the step has used up
        next(workloads.train(irtool, name, compiled, steps=1))
    (step,) = steps
    return {**{f"{name}.{stage}.mlir": step.ir(stage) for stage in STAGES}, f"{name}.c": step.source()}


def normalized(name: str, text: str) -> str:
    """The text of before, of a file name, as it should be now."""
    stage = name.removesuffix(".mlir").rpartition(".")[2]
    for pattern, replacement, _ in RENAMED:
        if stage != "traced" or "STAGE" not in replacement:
            text = re.sub(pattern, replacement.replace("STAGE", stage), text)
    return text


def differences(before: Path, after: Path) -> list[str]:
    """A line for each file that differs in more than RENAMED says, and the first lines in which it does."""
    found: list[str] = []
    names = sorted({path.name for folder in (before, after) for path in folder.iterdir()})
    for name in names:
        if not ((before / name).exists() and (after / name).exists()):
            found.append(f"{name}: in one folder only")
            continue
        old, new = normalized(name, (before / name).read_text()), (after / name).read_text()
        if old != new:
            lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "after", n=0, lineterm="")
            found.append("\n".join([f"{name} differs", *list(lines)[2:12]]))
    click.echo(f"{len(names) - len(found)} of {len(names)} texts are the same")
    return found


@click.group()
def main() -> None:
    """Texts of the workloads, written and compared."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-w", "--workloads", "chosen", default="mlp,cnn,text,lstm,resnet18,gpt-nano,gpt2-124m")
def write(folder: Path, chosen: str) -> None:
    """Writes the texts of each workload into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen.split(","):
        for file, text in texts(name).items():
            (folder / file).write_text(text)
        click.echo(f"{name}: written to {os.fspath(folder)}")


@main.command()
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
def compare(before: Path, after: Path) -> None:
    """Compares the texts in two folders."""
    found = differences(before, after)
    for line in found:
        click.echo(line)
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
