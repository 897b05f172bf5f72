"""Whole programs in bad circumstances: an error that says what to do, nothing changed, and the next call works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever starts the tests may have switched off

import irtool
from irtool import nn, optim
from irtool.nn import functional as F

irtool.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 3))
optimizer = optim.Adam(model.parameters(), lr=0.1)
x, y = irtool.randn(4, 6), irtool.randint(0, 3, (4,))

def state():
    tensors = [irtool.get_rng_state(), *model.parameters(), *(p.grad for p in model.parameters() if p.grad is not None)]
    return [t.tolist() for t in tensors], len(optimizer.state)

@irtool.compile
def step(x, y):
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss

before = state()
try:
    step(x, y)
except BaseException as error:
    print(type(error).__name__, error)
    assert state() == before
print("loss", step(x, y).item(), step(x, y).item())
"""


def environment(folder: Path, **variables: str) -> dict[str, str]:
    return {**os.environ, "IRTOOL_CACHE_DIR": str(folder / "cache"), **variables}


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        check=True,
    )


def wrapper(folder: Path, first: str) -> str:
    """A C compiler that does something else the first time it is to compile a kernel."""
    script = folder / "cc"
    real = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("clang")
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *" -c "*) if mkdir {folder}/once 2>/dev/null; then {first}; fi;; esac\n'
        f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the program prints where nothing is in its way; its first call trains too."""
    folder = tmp_path_factory.mktemp("plain")
    program = PROGRAM.replace("    step(x, y)\nexcept", "    pass\nexcept")
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(folder), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def leftovers(folder: Path) -> list[Path]:
    return list((folder / "cache").rglob(".tmp-*"))


def test_a_compiler_that_fails(tmp_path: Path, expected: str):
    failing = wrapper(tmp_path, 'echo "internal error: out of luck" >&2; exit 4')
    error, *rest = run(tmp_path, CC=failing).stdout.strip().split("\n")
    assert error == "ToolchainError the C compiler failed with exit code 4:"
    assert rest[0].lstrip().startswith(failing) and "out of luck" in rest[1] and "The source is kept in" in rest[2]
    assert rest[3] == expected and not leftovers(tmp_path)


def test_an_interrupted_compile(tmp_path: Path, expected: str):
    error, loss = run(tmp_path, CC=wrapper(tmp_path, "kill -INT $PPID")).stdout.strip().split("\n")
    assert error.strip() == "KeyboardInterrupt"
    assert loss == expected and not leftovers(tmp_path)


def test_a_killed_compile(tmp_path: Path, expected: str):
    killed = environment(tmp_path, CC=wrapper(tmp_path, "kill -9 $PPID"))
    assert subprocess.run([sys.executable, "-c", PROGRAM], env=killed, check=False).returncode == -9
    assert run(tmp_path).stdout.strip().startswith("loss")


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "cache").write_text("a file")
    done = run(tmp_path)
    assert "the cache folder cannot be used" in done.stderr and done.stdout.startswith("loss")


def test_truncated_entries(tmp_path: Path):
    whole = run(tmp_path).stdout
    entries = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.stat().st_size]
    assert {".so", ".o", ".json"} <= {p.suffix for p in entries}
    for path in entries:
        os.truncate(path, path.stat().st_size // 2)
    assert run(tmp_path).stdout == whole


def test_processes_that_compile_the_same_step_at_once(tmp_path: Path):
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment(tmp_path), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = {process.communicate(timeout=120)[0] for process in processes}
    assert all(process.returncode == 0 for process in processes) and len(printed) == 1
    assert not leftovers(tmp_path) and len(list((tmp_path / "cache").rglob("program.so"))) == 1
