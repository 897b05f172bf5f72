"""One program at every stage: its text parses back to itself, and continued from it gives the same C and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
import pytest
from irtool import nn, optim
from irtool.dialects.locations import leaves
from irtool.dialects.text import parse_module, print_op
from irtool.passes.loops.cpu.contract import Contract
from irtool.passes.verify import verify
from irtool.runtime.cpu import CPU
from irtool.runtime.lowering import level_of
from xdsl.dialects.builtin import ModuleOp, UnknownLoc
from xdsl.dialects.func import FuncOp

from .running import Array, execute, generate, reference

STAGES = tuple(stage.name for stage in CPU.pipeline)

ATTENTION = """
func.func @step(%x: tensor<6x8xf32>, %table: tensor<20x8xf32> {irtool.result = 1 : i64}, %tokens: tensor<6xi64>,
                %keep: tensor<6x6xi1>) -> (tensor<f32>, tensor<20x8xf32>, tensor<6x6xf32>) {
  %embedded = hl.gather %table, %tokens along 0 : tensor<20x8xf32>, tensor<6xi64> -> tensor<6x8xf32>
  %query = hl.add %x, %embedded : tensor<6x8xf32>
  %keys = hl.transpose %embedded [1, 0] : tensor<6x8xf32> -> tensor<8x6xf32>
  %scores = hl.matmul %query, %keys : tensor<6x8xf32>, tensor<8x6xf32> -> tensor<6x6xf32>
  %hidden = hl.constant -inf : tensor<6x6xf32>
  %causal = hl.constant dense [0.0, -inf, -inf, 0.0, 0.0, -inf] : tensor<6xf32>
  %added = hl.broadcast %causal along [1] : tensor<6xf32> -> tensor<6x6xf32>
  %biased = hl.add %scores, %added : tensor<6x6xf32>
  %masked = hl.select %keep, %biased, %hidden : tensor<6x6xi1>, tensor<6x6xf32>, tensor<6x6xf32> -> tensor<6x6xf32>
  %weights = hl.softmax %masked along 1 : tensor<6x6xf32>
  %mixed = hl.matmul %weights, %embedded : tensor<6x6xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %loss = hl.reduce_sum %mixed over [0, 1] : tensor<6x8xf32> -> tensor<f32>
  %slope = hl.gradient %loss wrt %table : tensor<20x8xf32>
  %rate = hl.constant 0.1 : tensor<20x8xf32>
  %change = hl.mul %slope, %rate : tensor<20x8xf32>
  %new = hl.sub %table, %change : tensor<20x8xf32>
  func.return %loss, %new, %weights : tensor<f32>, tensor<20x8xf32>, tensor<6x6xf32>
}
"""


def training_step(make_optimizer: Callable[[Any], Any]) -> str:
    """The traced step of a small classifier, as text."""
    irtool.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = make_optimizer(model.parameters())

    @irtool.compile
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(irtool.randn(8, 16), irtool.randint(0, 10, (8,)))
    return step.ir("traced", locations=True)


PROGRAMS: dict[str, Callable[[], str]] = {
    "sgd": lambda: training_step(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01)),
    "adam": lambda: training_step(lambda p: optim.Adam(p, lr=0.01)),
    "attention": lambda: print_op(parse_module(ATTENTION, "attention.mlir")),
}


@cache
def traced(program: str) -> str:
    return PROGRAMS[program]()


def arguments(program: str) -> list[Array]:
    arrays = generate(parse_module(traced(program)), seed=1)
    if program == "attention":
        arrays[3] |= np.eye(6, dtype=bool)
    return [np.abs(a) if program == "adam" and a.dtype.kind == "f" else a for a in arrays]  # second moments


@cache
def whole(program: str) -> tuple[str, list[Array]]:
    """The C and the results of a program compiled in one go."""
    module = parse_module(traced(program))
    return CPU().one_file(module), execute(module, arguments(program))


def at_stage(program: str, stage: str) -> ModuleOp:
    module = parse_module(traced(program))
    CPU().lower(module, stage)
    return module


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("program", PROGRAMS)
class TestStage:
    def test_text(self, program: str, stage: str) -> None:
        text = print_op(at_stage(program, stage))
        back = parse_module(text, "other.mlir")
        verify(back)
        assert print_op(back) == text

    def test_lines(self, program: str, stage: str) -> None:
        """Every op that computes on tensors or buffers knows its line."""
        lost = [
            op
            for op in at_stage(program, stage).walk()
            if isinstance(op.location, UnknownLoc) or not leaves(op.location)
            if op.name.startswith(("hl.", "linalg.generic", "func.call"))
        ]
        assert not lost

    def test_continued(self, program: str, stage: str) -> None:
        """From the text on: the same level, C and numbers."""
        source, results = whole(program)
        module = parse_module(print_op(at_stage(program, stage)))
        assert level_of(module) == stage
        for got, want in zip(execute(module, arguments(program)), results, strict=True):
            np.testing.assert_array_equal(got, want)
        assert CPU().one_file(module) == source


@pytest.mark.parametrize("program", PROGRAMS)
def test_numbers_are_the_reference(program: str) -> None:
    wanted = reference(parse_module(traced(program)), arguments(program))
    for got, want in zip(whole(program)[1], wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_watching_changes_nothing() -> None:
    """Pass by pass over the module, as one who looks at each wants it, gives what function by function gives."""
    watched, seen = parse_module(traced("adam")), list[str]()
    CPU().lower(watched, observe=lambda stage, name, module: seen.append(name))
    assert seen == [name for stage in CPU.pipeline for name in stage.passes]
    assert print_op(watched) == print_op(at_stage("adam", "loops"))


def test_kernels_are_printed_while_others_are_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    units: dict[str, str] = {}
    contract = Contract.apply_to_function

    def recorded(self: Contract, function: FuncOp) -> None:
        events.append("lower " + function.sym_name.data)
        contract(self, function)

    def printed(name: str, source: str) -> None:
        events.append("print " + name.removesuffix(".c"))
        units[name] = source

    monkeypatch.setattr(Contract, "apply_to_function", recorded)
    monkeypatch.setattr("irtool.runtime.cpu.available_cores", lambda: 1_000_000)
    sources = CPU().translate(parse_module(traced("adam")), printed=printed).sources
    kernels = [name.removesuffix(".c") for name in sources if name != "step.c"]
    assert len(kernels) > 2
    assert events == [*(f"{what} {kernel}" for kernel in kernels for what in ("lower", "print")), "print step"]
    assert units == sources


def test_small_kernels_share_files_where_cores_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(cores: int) -> dict[str, str]:
        monkeypatch.setattr("irtool.runtime.cpu.available_cores", lambda: cores)
        return CPU().translate(parse_module(traced("adam"))).sources

    def kernels(sources: dict[str, str]) -> list[str]:
        text = "\n".join(text for name, text in sources.items() if name != "step.c")
        return sorted(re.findall(r"^void (\w+)\((?!long threads)", text, re.MULTILINE))

    alone, together = files(1_000_000), files(1)
    assert len(alone) > len(together)
    assert kernels(alone) == kernels(together)


def test_the_mask_survives() -> None:
    """Rows see nothing of what -inf hides, at any stage."""
    weights = whole("attention")[1][2]
    assert (weights[:, [1, 2, 5]] == 0).all() and np.isfinite(weights).all()
