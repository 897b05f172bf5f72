"""clang as the C compiler, where it is installed with its OpenMP library; `make test-clang` runs whole suites so."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from irtool.codegen.primitives import primitives_for
from irtool.runtime.c_compiler import Compiler, ToolchainError, probe

COMPUTE = """
import os
import irtool

def check(rows):
    step = lambda x: (x.exp() + x).sum(0)
    x = irtool.randn(rows, 300)
    assert irtool.allclose(irtool.compile(step)(x), step(x), 1e-3)
    for line in open("/proc/self/maps") if os.path.exists("/proc/self/maps") else ():
        if "/libgomp." in line or "/libomp" in line:
            found[line.split()[-1]] = None

found = {}
"""


MOVES = ("load", "store", "splat", "select", "masked_load", "masked_store", "transpose", "sum", "product")
FLOAT_FUNCTIONS = ("max", "min", "maxnum", "minnum", "largest", "smallest_num", "sqrt", "floor", "rint", "fma", "exp")


@functools.cache
def clang() -> Compiler | None:
    """The compiler, if there is one that does OpenMP."""
    path = shutil.which("clang")
    try:
        return probe((path,)) if path else None
    except ToolchainError:
        return None


@pytest.fixture
def compiler() -> Compiler:
    found = clang()
    if found is None:
        pytest.skip("clang with OpenMP is not installed")
    return found


def run(program: str, **variables: str) -> str:
    """What a Python program prints that has a process of its own."""
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("order", ["clang gcc clang", "gcc clang gcc"])
def test_both_compilers_in_one_process(compiler: Compiler, order: str) -> None:
    """Each program has the OpenMP library of its compiler."""
    check = f"for i, os.environ['CC'] in enumerate({order.split()}): check(500 + i)\nprint(len(found))"
    assert run(COMPUTE + check).strip() == ("2" if sys.platform == "linux" else "0")


@pytest.mark.skipif(sys.platform != "linux", reason="renames a shared object of Linux")
def test_another_copy_of_its_openmp_library(compiler: Compiler, tmp_path: Path) -> None:
    """Packages bring one along under a name of their own; to abort the process then is the library's own choice."""
    library = Path(run(COMPUTE + "check(500)\nprint(*found)", CC="clang").strip())
    copy = tmp_path / "libxxx.so"
    copy.write_bytes(library.read_bytes().replace(b"libomp.so", b"libxxx.so"))
    run(f"import ctypes\nctypes.CDLL({str(copy)!r}).omp_get_max_threads()\n{COMPUTE}check(500)", CC="clang")


def test_no_primitive_is_warned_of(compiler: Compiler, tmp_path: Path) -> None:
    """Of some there are variants for clang alone."""
    names = [f"{name}_v{n}{letter}" for n in (4, 8, 16) for letter in "fdil" for name in MOVES]
    names += [f"{name}_v{n}{letter}" for n in (4, 8, 16) for letter in "fd" for name in FLOAT_FUNCTIONS]
    source = tmp_path / "primitives.c"
    source.write_text("\n".join(primitives_for(" ".join(names))))
    compiler.run([*compiler.flags, "-Wall", "-Wno-unused-function", "-Werror", "-c", "-o", os.devnull, str(source)])
