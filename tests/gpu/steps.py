"""Training steps of the workloads on the GPU: their time in irtool, and in PyTorch eager and compiled; time, arithmetic
and traffic of each of our kernels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from xdsl.dialects import arith, scf
from xdsl.dialects import math as xmath
from xdsl.ir import Block, Operation, SSAValue

from ..golden import workloads

SECONDS = 2.0
"""Of each measurement."""
Result = dict[str, Any]


def median_step(step: Callable[[], Any], wait: Callable[[], None]) -> float:
    """Milliseconds of a step, in rounds that are waited for as a whole."""
    for _ in range(3):
        step()
    wait()
    started = time.perf_counter()
    step()
    wait()
    steps = max(1, min(200, int(SECONDS / 10 / (time.perf_counter() - started))))
    rounds: list[float] = []
    begun = time.perf_counter()
    while len(rounds) < 3 or time.perf_counter() - begun < SECONDS:
        started = time.perf_counter()
        for _ in range(steps):
            step()
        wait()
        rounds.append((time.perf_counter() - started) / steps)
    return sorted(rounds)[len(rounds) // 2] * 1e3


def prepared(torch: Any, name: str, wrap: Callable[[Any], Any]) -> tuple[Any, list[Any]]:
    """A workload's step on the device, and its batch there."""
    work = workloads.WORKLOADS[name]
    model = work.model(torch)
    workloads.initialize(torch, model)
    model.to("cuda")
    kind, rate = work.optimizer
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=rate)
    batch = [torch.from_numpy(a).to("cuda") for a in work.batch(np.random.default_rng(5))]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = work.loss(torch, model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return wrap(step), batch


def ours(name: str) -> Result:
    """irtool."""
    import irtool

    started = time.perf_counter()
    step, batch = prepared(irtool, name, irtool.compile)
    step(*batch).item()
    first = time.perf_counter() - started
    found = {"ms": median_step(lambda: step(*batch), irtool.cuda.synchronize), "first call s": first}
    return {**found, "MiB": irtool.cuda.max_memory_allocated() / 2**20, **per_kernel(step, batch)}


def theirs(name: str, compiled: bool) -> Result:
    """PyTorch."""
    torch = import_module("torch")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    started = time.perf_counter()
    wrap = (lambda f: torch.compile(f, mode="reduce-overhead")) if compiled else (lambda f: f)
    step, batch = prepared(torch, name, wrap)
    for _ in range(3 if compiled else 1):
        step(*batch).item()
    first = time.perf_counter() - started
    return {"ms": median_step(lambda: step(*batch), torch.cuda.synchronize), "first call s": first}


# Kernels one by one


def per_kernel(step: Any, batch: list[Any]) -> Result:
    """The kernels of a step by the time that they take: launches, µs of one, TFLOP/s, GB/s."""
    from irtool.dialects.text import parse_module
    from irtool.runtime.backend import find_backend
    from irtool.runtime.cuda.plan import launches

    module = parse_module(step.ir("traced"))
    launched = launches(find_backend("cuda").translate(module).plan["launches"])
    arithmetic = operations(module)
    rows: dict[str, Result] = {}
    for launch, timed in zip(launched, step.profile(*batch).kernels, strict=True):
        bytes_of = {str(place): size for place, (_, size) in zip(launch["arguments"], launch["places"], strict=True)}
        row = rows.setdefault(
            timed.name, {"kernel": timed.name, "line": timed.line, "launches": 0, "µs": 0.0, "moved": 0}
        )
        row["launches"] += 1
        row["µs"] += timed.seconds * 1e6
        row["moved"] += sum(bytes_of.values())
    for row in rows.values():
        moved = row.pop("moved")
        row["TFLOP/s"] = round(arithmetic[row["kernel"]] * row["launches"] / row["µs"] / 1e6, 3)
        row["GB/s"] = round(moved / row["µs"] / 1e3, 1)
        row["µs"] = round(row["µs"] / row["launches"], 2)
    ordered = sorted(rows.values(), key=lambda row: -row["launches"] * row["µs"])
    return {"launches": len(launched), "kernels": ordered}


FLOATING = (arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, arith.MaximumfOp, arith.MinimumfOp)


def operations(module: Any) -> dict[str, int]:
    """Floating-point operations of each kernel: those of its text, as often as the loops around them run."""
    from irtool.codegen.cuda.cuda import kernel_functions, kernel_names
    from irtool.runtime.backend import find_backend

    clone = module.clone()
    find_backend("cuda").lower(clone)
    functions = kernel_functions(clone)
    names = kernel_names(functions)
    found: dict[str, int] = {}
    for function in functions:
        block, grid = (
            math.prod(int(n) for n in sizes.get_values())  # pyright: ignore[reportAttributeAccessIssue]
            for sizes in (function.known_block_size, function.known_grid_size)
        )
        found[names[function.sym_name.data]] = round(_count(function.body.block, block) * block * grid)
    return found


def _count(block: Block, threads: int) -> float:
    total = 0.0
    for op in block.ops:
        inner = sum(_count(b, threads) for region in op.regions for b in region.blocks)
        total += inner * (_rounds(op) if isinstance(op, scf.ForOp) else 1)
        if isinstance(op, xmath.FmaOp):
            total += 2 * _lanes(op)
        elif isinstance(op, FLOATING) or op.name.startswith("math."):
            total += _lanes(op)
    return total


def _lanes(op: Operation) -> int:
    shape = getattr(op.results[0].type, "get_shape", tuple)()
    return math.prod(shape)


def _rounds(loop: scf.ForOp) -> float:
    """How often a thread runs a loop, on the average: one that begins at its own number has a share of the rounds."""
    end, step = _constant(loop.ub), _constant(loop.step)
    if end is None or not step:
        return 1
    start = _constant(loop.lb)
    return max(0.0, (end - (start or 0)) / step)


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp):
        return int(owner.value.value.data)  # pyright: ignore[reportAttributeAccessIssue]
    return None
