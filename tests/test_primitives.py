"""The primitives of generated C, on every kind of machine that they tell apart."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from irtool.codegen.primitives import primitives_for
from irtool.codegen.vector_primitives import ELEMENTS, MASKED_MOVES
from irtool.runtime.toolchain import find_compiler

NUMPY = {"f": np.float32, "i": np.int32, "d": np.float64, "l": np.int64}
FUNCTION = """\
void move_{v}({t} *to, const {t} *from, const int *mask, const {t} *other)
{{
    v{n}i m = load_v{n}i(mask);
    masked_store_{v}(to, m, masked_load_{v}(from, ~m, load_{v}(other)));
    masked_store_{v}(to + {n}, ~m, masked_load_{v}(from, m, load_{v}(other)));
}}
"""


def names() -> list[tuple[str, int, str]]:
    return [(v, int(v[1:-1]), v[-1]) for v in MASKED_MOVES]


@pytest.mark.parametrize("machine", ["-march=native", "-mavx2", "-msse2"])
def test_masked_moves(machine: str, tmp_path: Path) -> None:
    """With the machine's instructions and as loops over lanes."""
    compiler = find_compiler()
    if machine != "-march=native" and "__AVX2__" not in compiler.features:
        pytest.skip("another machine")
    functions = "\n".join(FUNCTION.format(v=v, n=n, t=ELEMENTS[letter][0]) for v, n, letter in names())
    source = tmp_path / "moves.c"
    source.write_text("\n".join([*primitives_for(functions), functions]))
    compiler.run(["-O2", machine, "-Wno-psabi", "-shared", "-fPIC", "-o", str(tmp_path / "moves.so"), str(source)])
    library = ctypes.CDLL(str(tmp_path / "moves.so"))
    random = np.random.default_rng(0)
    for v, n, letter in names():
        to, start, other = (np.round(99 * random.normal(size=k)).astype(NUMPY[letter]) for k in (2 * n, n, n))
        mask = random.integers(0, 2, n).astype(np.int32) * -1
        expected = np.concatenate([np.where(mask, other, to[:n]), np.where(mask, to[n:], other)])
        getattr(library, f"move_{v}")(*(ctypes.c_void_p(a.ctypes.data) for a in (to, start, mask, other)))
        np.testing.assert_array_equal(to, expected)


TURN = """\
void turn_{v}(const {t} *from, {t} *to, long rows, long columns)
{{
    transpose_{v}(from, 40, to, 24, rows, columns);
}}
"""


@pytest.mark.parametrize("machine", ["-march=native", "-mavx2", "-msse2"])
def test_transpose(machine: str, tmp_path: Path) -> None:
    """Whole squares and edges; nothing is read or written outside the block."""
    compiler = find_compiler()
    if machine != "-march=native" and "__AVX2__" not in compiler.features:
        pytest.skip("another machine")
    kinds = [("v16f", 16, np.float32), ("v8f", 8, np.float32), ("v8d", 8, np.float64), ("v4i", 4, np.int32)]
    functions = "\n".join(TURN.format(v=v, t=ELEMENTS[v[-1]][0]) for v, _, _ in kinds)
    source = tmp_path / "turn.c"
    source.write_text("\n".join([*primitives_for(functions), functions]))
    compiler.run(["-O2", machine, "-Wno-psabi", "-shared", "-fPIC", "-o", str(tmp_path / "turn.so"), str(source)])
    library = ctypes.CDLL(str(tmp_path / "turn.so"))
    for v, n, dtype in kinds:
        for rows, columns in ((n, n), (n, n - 1), (1, n), (n - 1, 1)):
            x = np.arange(40 * n, dtype=dtype).reshape(n, 40)
            y = np.full((n, 24), -1, dtype)
            pointers = (ctypes.c_void_p(a.ctypes.data) for a in (x, y))
            getattr(library, f"turn_{v}")(*pointers, ctypes.c_long(rows), ctypes.c_long(columns))
            expected = np.full((n, 24), -1, dtype)
            expected[:columns, :n] = 0
            expected[:columns, :rows] = x[:rows, :columns].T
            np.testing.assert_array_equal(y, expected)


EDGE = """\
    for (volatile long known_late = 1; known_late <= {n}; known_late++) {{
        long count = known_late;
        {t} *end = ({t} *)(page + 4096) - count;
        v{n}i m = first_v{n}i(count);
        masked_store_{v}(end, m, masked_load_{v}(end, m, splat_{v}(0)) + 1);
    }}
"""
PAGES = """\
#include <sys/mman.h>

{primitives}

int main(void)
{{
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
{body}    return 0;
}}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages of 4096 bytes")
def test_lanes_that_are_off_may_lie_on_no_page(tmp_path: Path) -> None:
    """With the flags of programs: it is gcc's vectorizer that may get this wrong."""
    compiler = find_compiler()
    vectors = [(f"v{n}{letter}", n, ELEMENTS[letter][0]) for letter in "fidl" for n in (2, 4, 8, 16)]
    body = "".join(EDGE.format(v=v, n=n, t=t) for v, n, t in vectors)
    source = tmp_path / "pages.c"
    source.write_text(PAGES.format(primitives="\n".join(primitives_for(body)), body=body))
    compiler.run([*compiler.flags, "-o", str(tmp_path / "pages"), str(source)])
    assert subprocess.run([tmp_path / "pages"], check=False).returncode == 0
