"""irtool.compile down to C: the same results as eager, what it tells about itself, and life without a compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import timeit
from concurrent.futures import ThreadPoolExecutor

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.dialects.text import parse_module, print_op
from irtool.nn import functional as F


def make(seed=1):
    irtool.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 3))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


@pytest.fixture(scope="module")
def batch():
    irtool.manual_seed(2)
    return irtool.randn(4, 6), irtool.tensor([0, 2, 1, 2])


@pytest.fixture(scope="module")
def compiled(batch):
    _, step = make()
    step = irtool.compile(step)
    step(*batch)
    return step


def test_a_training_step_follows_eager(batch):
    losses = []
    for wrap in (irtool.compile, lambda f: f):
        _, step = make()
        step = wrap(step)
        irtool.manual_seed(7)
        losses.append([step(*batch).item() for _ in range(4)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_a_module_with_its_backward_follows_eager(batch):
    x, y = batch
    model, _ = make()
    model.eval()
    run = irtool.compile(model)
    found = []
    for f in (run, model):
        model.zero_grad()
        for _ in range(2):
            F.cross_entropy(f(x), y).backward()
        found.append([p.grad.numpy().copy() for p in model.parameters()])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert len(run.programs()) == 1


def test_views_swaps_and_arguments_in_place():
    state, other = irtool.zeros(4), irtool.ones(4)

    @irtool.compile
    def f(x):
        x.mul_(2)
        state[1:3] += x
        old = state.clone()
        state.copy_(other)
        other.copy_(old)
        return old, old * 1, x

    data = irtool.ones(3, 2)
    old, again, row = f(data[1])
    assert old.tolist() == again.tolist() == other.tolist() == [0.0, 2.0, 2.0, 0.0]
    assert state.tolist() == [1.0] * 4 and row.tolist() == data[1].tolist() == [2.0, 2.0]
    f(data[1])
    assert other.tolist() == [1.0, 5.0, 5.0, 1.0] and state.tolist() == [0.0, 2.0, 2.0, 0.0]
    assert len(f.programs()) == 1


def test_stages_print_and_parse_back(compiled):
    for stage in ("traced", "hl", "kernels", "linalg", "memref", "loops"):
        text = compiled.ir(stage, locations=True)
        assert "test_compile_native.py" in text
        assert print_op(parse_module(text)) == text, stage


def test_source_and_memory(compiled):
    source = compiled.source()
    assert "void step(void **buffers" in source and "test_compile_native.py" in source
    memory = compiled.memory()
    # Weights and biases, two moments of each, the random counter, the record of errors.
    assert memory["state"] == 3 * 4 * (6 * 8 + 8 + 8 * 3 + 3) + 16 + 24
    assert memory["arena"] <= sum(-(-buffer["bytes"] // 64) * 64 for buffer in memory["buffers"])
    assert all(buffer["line"] for buffer in memory["buffers"])


def test_profiles_name_kernels_and_lines_and_leave_state(batch):
    model, step = make()
    step = irtool.compile(step)
    step(*batch)
    before = [p.tolist() for p in model.parameters()]
    random = irtool.get_rng_state().tolist()
    profile = step.profile(*batch, steps=3)
    assert [p.tolist() for p in model.parameters()] == before and irtool.get_rng_state().tolist() == random
    assert profile.kernels and all(k.seconds >= 0 and "test_compile_native.py" in k.line for k in profile.kernels)
    assert profile.seconds == pytest.approx(sum(profile.by_line().values()))
    assert "all kernels" in str(profile)


def test_equal_functions_share_a_program(batch):
    programs = []
    for seed in (1, 2):
        _, step = make(seed)
        step = irtool.compile(step)
        step(*batch)
        programs.append(step.programs()[0])
    assert programs[0].program is programs[1].program


def test_calls_from_several_threads(batch):
    model, _ = make()
    run = irtool.compile(model.eval())
    with irtool.no_grad():
        data = [irtool.randn(4, 6) for _ in range(8)]
        expected = [model(x).tolist() for x in data]
        run(data[0])
        with ThreadPoolExecutor(4) as pool:
            for _ in range(5):
                found = list(pool.map(lambda x: run(x).tolist(), data))
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_known_call_with_150_state_tensors_is_cheap():
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(25)])
    optimizer = optim.Adam(model.parameters())

    @irtool.compile(target="reference")
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = irtool.ones(1, 2), irtool.ones(1, 2)
    step(x, y)
    (program,) = step.programs()
    assert len(program.traced.updated) == 150
    # What a call costs beside the C.
    program.launch._call.run = lambda changes=(): None

    def empty() -> None:
        pass

    def thousand_calls() -> None:
        for _ in range(1000):
            empty()

    # Against what this machine takes for a thousand empty calls, in turns.
    known, yardstick = float("inf"), float("inf")
    for _ in range(200):
        known = min(known, timeit.timeit(lambda: step(x, y), number=10) / 10)
        yardstick = min(yardstick, timeit.timeit(thousand_calls, number=1))
    assert known < 2 * yardstick, f"{known * 1e6:.1f} µs, {known / yardstick:.2f} of a thousand empty calls"


WITHOUT_COMPILER = """
import irtool
from irtool import nn, optim
w = nn.Parameter(irtool.ones(2))
optimizer = optim.SGD([w], lr=1.0, momentum=0.9)

def step(x):
    loss = (w * x).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

try:
    irtool.compile(step)(irtool.ones(2))
except RuntimeError as error:
    print(type(error).__name__, error)
assert w.tolist() == [1.0, 1.0] and not optimizer.state and w.grad is None
print(step(irtool.ones(2)).item(), w.tolist())
print(irtool.compile(step, target="reference")(irtool.ones(2)).item())
"""


def test_without_a_compiler_eager_still_works(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "PATH")}
    environment |= {"PATH": str(tmp_path), "IRTOOL_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    error, eager, reference = done.stdout.strip().splitlines()[0], *done.stdout.strip().splitlines()[-2:]
    assert error.startswith("ToolchainError") and "compiler" in error
    assert eager == "2.0 [0.0, 0.0]" and reference == "0.0"


def test_equal_programs_of_two_files_show_their_own_lines(tmp_path):
    text = "def f(x):\n    y = x * 3.25\n    return y.exp() - 7.5\n"
    shown = []
    for name in ("one.py", "other.py"):
        path = tmp_path / name
        path.write_text(text if name == "one.py" else "\n\n" + text)
        found = {}
        exec(compile(path.read_text(), str(path), "exec"), found)
        f = irtool.compile(found["f"])
        f(irtool.ones(5, 7))
        shown.append((f.source(), str(f.memory()["buffers"]), f.ir("loops", locations=True)))
    for name, others, texts in (("one.py:3", "other.py", shown[0]), ("other.py:5", "one.py", shown[1])):
        assert name in texts[0] and not any(others in text for text in texts)
