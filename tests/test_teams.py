"""The same bits for any number of threads, state included: ops, random graphs, programs, updates in place.

Most samples are small, and small work is one thread's. So all is compiled as if any work were worth sharing.
`make test-teams` runs everything, `make test` a sample of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import irtool
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from irtool.dialects.hl import HLOp
from irtool.dialects.text import parse_module, print_op
from irtool.passes.pass_base import PassError
from irtool.runtime import compiler
from irtool.runtime.compiler import compile_module
from irtool.runtime.threads import get_num_threads, set_num_threads
from xdsl.dialects.builtin import ModuleOp

from .programs.runner import run as run_program
from .running import Array, execute
from .samples import SAMPLES
from .sharing import share_all
from .test_compiled_ops import COMPILED, module_of, run
from .test_programs import GOLDEN
from .test_random_graphs import programs

TEAMS = (1, 2, 3, 4, 8)
ALL = "IRTOOL_LARGE_TESTS" in os.environ


@pytest.fixture(autouse=True, scope="module")
def everything_is_worth_sharing() -> Iterator[None]:
    version = compiler.pipeline_version()
    with pytest.MonkeyPatch.context() as patch:
        share_all(patch)
        # Programs of the passes as they are must not be taken for these.
        patch.setattr(compiler, "pipeline_version", lambda: version + "shared")
        yield


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


def bits(arrays: list[Array]) -> list[bytes]:
    return [array.tobytes() for array in arrays]


SAMPLE = ("scatter_add", "sort", "cumsum", "recurrence", "matmul", "softmax", "argmax")


@pytest.mark.parametrize("op", [op for op in COMPILED if ALL or op.name[3:] in SAMPLE], ids=lambda op: op.name[3:])
def test_ops(op: type[HLOp]) -> None:
    samples = SAMPLES[op]
    program = compile_module(module_of(op, samples))
    arrays = [array for sample in samples for array in sample.arrays]
    wanted = bits(run(program, arrays, 1))
    for threads in TEAMS:
        assert bits(run(program, arrays, threads)) == wanted, f"{threads} threads"


@settings(
    max_examples=500 if ALL else 12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)  # fmt: skip
@given(programs())
def test_random_graphs(program: tuple[ModuleOp, list[Array]]) -> None:
    module, arrays = program
    note(print_op(module, False))
    wanted = bits(execute(module, arrays))
    for threads in TEAMS:
        assert bits(execute(module, arrays, threads)) == wanted, f"{threads} threads"


@pytest.mark.parametrize("name", GOLDEN if ALL else ["training.policy_gradient"])
def test_programs(name: str) -> None:
    found: list[list[float]] = []
    for threads in TEAMS:
        set_num_threads(threads)
        found.append(run_program(irtool, name, irtool.compile))
    assert all(losses == found[0] for losses in found)


Tensor = Any


def row_sums_beside_an_update(w: Tensor, g: Tensor) -> Tensor:
    r = (g * g.sum(1)[:, None]).sum(0)
    w.add_(g)
    return r


def update_between_products(w: Tensor, g: Tensor) -> Tensor:
    r = g @ g
    w.mul_(g.sum(1, keepdim=True)).add_(r.amax(0))
    return r @ g.t() + w.sum(0)


def counting_rows(w: Tensor, g: Tensor) -> Tensor:
    w.index_add_(0, (g * 3).long().abs()[:, 0] % w.shape[0], g)
    return w.cumsum(0).sum(1) + g.sum(1)


def best_first(w: Tensor, g: Tensor) -> Tensor:
    values, order = g.sort(1, descending=True)
    w.add_(values.cumsum(1)).sub_(order.to(w.dtype).mean(0))
    return (values * w.sum(0)).softmax(1).argmax(1)


def normalized(w: Tensor, g: Tensor) -> Tensor:
    w.add_(g / (1 + g.norm()))
    w.div_(w.abs().max() + 1)
    return (w - w.mean(1, keepdim=True)) @ g.mean(0)


def lengths(w: Tensor, g: Tensor) -> Tensor:
    w[1:].add_(g[:-1])
    w[0] = w.sum(0)
    return irtool.cat([w.flip(0), g.t().contiguous().reshape(g.shape)]).prod(1)


FUNCTIONS = (row_sums_beside_an_update, update_between_products, counting_rows, best_first, normalized, lengths)


@pytest.mark.parametrize("side", (1, 3, 8, 40) if ALL else (8, 17))
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_updates_in_place(function: Callable[..., Any], side: int) -> None:
    rng = np.random.default_rng(side)
    w0, g0 = (rng.standard_normal((side, side)).astype(np.float32) for _ in range(2))

    def call(step: Callable[..., Any]) -> list[Array]:
        w, g = irtool.tensor(w0), irtool.tensor(g0)
        return [a.numpy() for a in (step(w, g), w, g)]

    step = irtool.compile(function)
    for threads in TEAMS:
        set_num_threads(threads)
        found = call(step)
        if threads == TEAMS[0]:
            one = bits(found)
            for have, want in zip(found, call(function)):
                np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-4)
        assert bits(found) == one, f"{threads} threads"


def test_a_program_written_by_hand_is_verified() -> None:
    module = parse_module("""
func.func @step(%x: memref<8xf32>, %workspace: memref<0xi8> {irtool.workspace}) {
  spmd.parallel {
    func.call @k(%x) : (memref<8xf32>) -> ()
  }
  func.return
}
func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %a = memref.load %x[%c0] : memref<8xf32>
  %b = arith.addf %a, %a : f32
  memref.store %b, %x[%c0] : memref<8xf32>
  func.return
}""")
    with pytest.raises(PassError, match="every thread of the team would write %x"):
        compile_module(module)
