"""Whether programs compute on the GPU what they compute in the emulator: every op, whole training steps, and
twice the same.

The emulator's results are recorded beforehand (`make gpu-records`), where there is time for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import irtool
import numpy as np
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.reference import NO_REFERENCE

from ..golden import WORKLOADS, workloads
from ..running import execute
from ..samples import SAMPLES
from ..samples.core import Array, Sample
from ..test_compiled_ops import module_of
from ..test_gradients import Gradients, differentiable

Result = dict[str, Any]
RECORDS = Path(__file__).resolve().parents[2] / "build" / "gpu-records"
PROGRAMS = ("mlp", "cnn", "lstm", "gpt-nano")
NORM = 1e-5
"""How far apart results in f32 may be, by norm: GPUs fuse a multiplication and an addition, the emulator does not."""


def cases() -> list[tuple[str, Callable[[str], list[Array]]]]:
    """Every op, and its gradients, first and second: a name, and what runs it on a target."""
    found: list[tuple[str, Callable[[str], list[Array]]]] = []
    for op in OPS:
        if op in NO_REFERENCE or not SAMPLES[op]:
            continue
        found.append((op.name, lambda target, op=op: _forward(op, target)))
        if samples := differentiable(op):
            found.append(
                (f"{op.name}-gradient", lambda target, op=op, sample=samples[0]: _backward(op, sample, target))
            )
    return found


def _forward(op: type[HLOp], target: str) -> list[Array]:
    samples = SAMPLES[op]
    return execute(module_of(op, samples), [a for s in samples for a in s.arrays], target=target)


def _backward(op: type[HLOp], sample: Sample, target: str) -> list[Array]:
    return execute(Gradients(op, sample).module, sample.arrays, target=target)


def record(folder: Path = RECORDS) -> Result:
    """Writes what the emulator computes, a file a case."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, str] = {}
    for name, run in cases():
        path = folder / f"{_file(name)}.npz"
        if path.exists():
            continue
        try:
            np.savez_compressed(path, *run("cuda-emulated"))
        except Exception as error:
            wrong[name] = f"{type(error).__name__}: {str(error)[:200]}"
    return {"recorded": len(list(folder.iterdir())), "failed": wrong}


def _file(name: str) -> str:
    return f"{name}-{zlib.crc32(name.encode()):08x}"


def check_ops(target: str = "cuda", folder: Path = RECORDS) -> Result:
    """All cases against the records."""
    wrong: dict[str, str] = {}
    same = close = missing = 0
    for name, run in cases():
        path = folder / f"{_file(name)}.npz"
        if not path.exists():
            missing += 1
            continue
        try:
            results = run(target)
            with np.load(path) as recorded:
                expected = [recorded[key] for key in recorded.files]
            apart = [distance(a, b) for a, b in zip(results, expected, strict=True)]
        except Exception as error:
            wrong[name] = f"{type(error).__name__}: {str(error)[:200]}"
            continue
        worst = max(apart, default=0.0)
        if not worst <= NORM:
            wrong[name] = f"apart by {worst:.1e} of the norm"
        same += worst == 0
        close += 0 < worst <= NORM
    return {"same": same, "close": close, "without a record": missing, "failed": wrong}


def distance(a: Array, b: Array) -> float:
    """By norm, relative; where elements are no finite numbers they are to be the same."""
    if a.dtype.kind != "f":
        return 0.0 if np.array_equal(a, b) else float("inf")
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    norm = float(np.linalg.norm(b[finite].astype(np.float64)))
    return float(np.linalg.norm(a[finite].astype(np.float64) - b[finite])) / (norm or 1.0)


def check_program(name: str) -> Result:
    """Ten steps of a workload against PyTorch's losses, twice, to the same bits."""

    def losses() -> list[float]:
        return [loss for loss, _ in workloads.train(irtool, name, lambda f: irtool.compile(f, target="cuda"))]

    first, second, expected = losses(), losses(), WORKLOADS[name]["losses"]
    apart = max(abs(a - b) / abs(b) for a, b in zip(first, expected, strict=True))
    bound = max(workloads.WORKLOADS[name].tolerance, 1e-4)
    failed = {} if apart <= bound else {"losses": f"apart by {apart:.1e}, at most {bound:.0e}"}
    if first != second:
        failed["repeated"] = "the second run differs from the first"
    return {"losses": first, "apart": apart, **({"failed": failed} if failed else {})}


def row_kernel() -> Result:
    """The way that everything takes: a program of several launches, recorded and replayed."""

    def rows(x: Any) -> Any:
        for _ in range(6):
            x = 3 * irtool.softmax(x @ x, 1) - x / 2
        return x.sum(0)

    step, x = irtool.compile(rows, target="cuda"), irtool.randn(256, 256)
    results, expected = [step(x).numpy() for _ in range(4)], rows(x).numpy()
    return {"apart": max(distance(r, expected) for r in results)}
