"""Trains a classifier on scikit-learn's handwritten digits, compiled as one step, and shows what the compiler did.

python examples/digits.py [--epochs 30] [--eager]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
from irtool import nn, optim
from irtool.utils.data import DataLoader, TensorDataset
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table

console = Console()


def digits() -> tuple[TensorDataset, TensorDataset]:
    """1,500 images of 8 x 8 to train on and 297 to test on, scaled to [-1, 1]."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = (bunch.images / 8.0 - 1.0).astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    parts = order[:1500], order[1500:]
    train, test = (TensorDataset(irtool.from_numpy(images[p]), irtool.from_numpy(labels[p])) for p in parts)
    return train, test


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    """The part of the images that are classified right."""
    model.eval()
    with irtool.no_grad():
        images, labels = data[:]
        right = (model(images).argmax(1) == labels).float().mean().item()
    model.train()
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--eager", action="store_true", help="run op by op, without compiling")
    options = parser.parse_args()

    irtool.manual_seed(0)
    train, test = digits()
    loader = DataLoader(train, batch_size=50, shuffle=True, drop_last=True)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    console.print(model, highlight=False)

    def step(images: irtool.Tensor, labels: irtool.Tensor) -> irtool.Tensor:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run: Any = step if options.eager else irtool.compile(step)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    first = 0.0
    with Progress(*columns, TextColumn("{task.fields[status]}"), console=console) as progress:
        task = progress.add_task("training", total=options.epochs * len(loader), status="compiling")
        for epoch in range(options.epochs):
            losses: list[float] = []
            for images, labels in loader:
                started = time.perf_counter()
                losses.append(run(images, labels).item())
                first = first or time.perf_counter() - started
                progress.advance(task)
            scheduler.step()
            status = f"epoch {epoch + 1}  loss {sum(losses) / len(losses):.4f}  test {accuracy(model, test):.1%}"
            progress.update(task, status=status)
    reached = accuracy(model, test)
    console.print(f"[bold]test accuracy {reached:.2%}[/bold] on {len(test)} images that were not trained on")
    if not options.eager:
        show(run, next(iter(loader)), first)
    if reached < 0.95:
        raise SystemExit("the accuracy is below 95%: something is wrong")


def show(step: Any, batch: Any, first: float) -> None:
    """What the compiler did with the training step."""
    program = step.programs()[-1].loaded()[0]
    traced = sum(" = hl." in line for line in step.ir("traced").splitlines())
    console.print(f"One step through the levels; the first call took {first:.2f} s:")
    stages = Table()
    for heading in ("stage", "ops or lines", "milliseconds"):
        stages.add_column(heading, justify="left" if heading == "stage" else "right")
    stages.add_row("traced", str(traced), "")
    for stage in program.plan["stages"]:
        stages.add_row(stage["name"], str(stage["ops"]), f"{1e3 * stage['seconds']:.1f}")
    console.print(stages)

    memory = step.memory()
    console.print(
        f"Planned memory: {memory['arena']:,} bytes of intermediates in one arena, {memory['workspace']:,} of "
        f"workspace, {memory['state']:,} of state updated in place. Largest intermediates:"
    )
    for buffer in memory["buffers"][:3]:
        console.print(
            f"  {buffer['bytes']:>9,} bytes  {buffer['name'] or '(unnamed)'}  {buffer['line']}", highlight=False
        )

    console.print("Where the time goes, kernel by kernel:")
    console.print(str(step.profile(*batch, steps=200)), highlight=False, soft_wrap=True)

    units = sorted(Path(program.shared_object).parent.glob("*.c"))
    console.print(f"Generated C: {len(units)} files in {Path(program.shared_object).parent}", soft_wrap=True)
    functions = [text[text.rfind("\n// ") + 1 :] for text in (unit.read_text() for unit in units)]
    updates = sorted((text for text in functions if "gradient of" in text.splitlines()[0]), key=len)
    if updates:
        console.print("The shortest kernel of the backward pass:")
        console.print(Syntax("", "c", background_color="default").highlight(updates[0].rstrip()), soft_wrap=True)
    console.print('step.ir("linalg") prints the IR at a stage, step.source() all of the C.', highlight=False)


if __name__ == "__main__":
    main()
