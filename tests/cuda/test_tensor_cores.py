"""Asynchronous copies, matrices in the registers of a warp, and their products."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from irtool.codegen.cuda.cuda import Kernel
from irtool.runtime.cuda.emulator.native import EmulationError

from .text import kernel, run

RING = """
__shared__ __align__(16) float tile[3][128];
float sum = 0.0f;
for (int k = 0; k < 2; k++) {
    copy_async<16>(&tile[k][4 * threadIdx.x], &x[128 * k + 4 * threadIdx.x], true);
    copy_async_commit();
}
for (int k = 0; k < 8; k++) {
    copy_async_wait<1>();
    __syncthreads();
    if (k + 2 < 8)
        copy_async<16>(&tile[(k + 2) % 3][4 * threadIdx.x], &x[128 * (k + 2) + 4 * threadIdx.x], true);
    copy_async_commit();
    for (int i = 0; i < 4; i++)
        sum += tile[k % 3][32 * i + 31 - threadIdx.x];
}
y[threadIdx.x] = sum;
"""
"""A ring of three tiles, two of which are on their way while one is used."""
PARAMETERS = "const float *__restrict__ x, float *__restrict__ y"


def ring(text: str = RING) -> Kernel:
    return kernel(PARAMETERS, text, 32)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("checked", [True, False])
def test_a_ring_of_tiles(checked: bool) -> None:
    x, y = numbers(1024), np.zeros(32, np.float32)
    run(ring(), x, y, checked=checked)
    expected = np.zeros(32, np.float32)
    for row in x.reshape(32, 32):
        expected += row[::-1]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("order", ["all", "reverse"])
def test_a_wait_that_is_off_by_one(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA_ORDER", order)
    with pytest.raises(EmulationError) as caught:
        run(ring(RING.replace("copy_async_wait<1>", "copy_async_wait<2>")), numbers(1024), np.zeros(32, np.float32))
    assert re.fullmatch(
        r"kernel k \(train\.py:7\), block \(0, 0, 0\), thread \(\d+, 0, 0\): "
        r"loads an element of the shared array tile while an asynchronous copy to it is under way",
        str(caught.value),
    ), caught.value


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        (RING.replace("    __syncthreads();\n", ""), "an element of the shared array tile"),
        (RING.replace("(k + 2) % 3", "k % 3"), "stores an element of the shared array tile"),
        (RING.replace("copy_async<16>(&tile[k][4 * threadIdx.x]", "copy_async<16>(&tile[k][4 * threadIdx.x + 1]"),
         "stores 16 bytes at an address that is no multiple of 16"),
        (RING.replace("&x[128 * (k + 2)", "&x[128 * (k + 3)"), "loads 16 bytes at byte 4096 of x, which has 4096"),
    ],
    ids=["no barrier", "one tile too few", "misaligned", "behind the end"],
)  # fmt: skip
def test_faults_in_a_ring(planted: str, what: str) -> None:
    with pytest.raises(EmulationError, match=re.escape(what)):
        run(ring(planted), numbers(1024), np.zeros(32, np.float32))


def test_a_copy_that_is_not_valid_is_zeros() -> None:
    body = """
        __shared__ __align__(16) float tile[128];
        copy_async<8>(&tile[2 * threadIdx.x], &x[2 * threadIdx.x], threadIdx.x < 16);
        copy_async_commit();
        copy_async_wait<0>();
        y[2 * threadIdx.x] = tile[2 * threadIdx.x];
        y[2 * threadIdx.x + 1] = tile[2 * threadIdx.x + 1];"""
    x, y = numbers(32), np.ones(64, np.float32)
    run(kernel(PARAMETERS, body, 32), x, y)
    np.testing.assert_array_equal(y, np.concatenate([x, np.zeros(32, np.float32)]))


LOADED = """
const u16 *a = (const u16 *)words;
__shared__ __align__(16) u16 tile[16][16];
for (int i = 0; i < 8; i++)
    tile[threadIdx.x / 2][threadIdx.x % 2 * 8 + i] = a[threadIdx.x / 2 * 16 + threadIdx.x % 2 * 8 + i];
__syncthreads();
u32 r[4];
load_matrices(r, &tile[threadIdx.x % 16][threadIdx.x / 16 * 8]);
"""
"""The registers of a 16×16 matrix of bf16, as mma.sync takes its left operand."""


def bf16(x: np.ndarray) -> np.ndarray:
    """Numbers that bf16 has, two in a word."""
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.int32)


def test_a_product_of_bf16() -> None:
    body = f"""{LOADED}
        const u16 *b = (const u16 *)more;
        __shared__ __align__(16) u16 other[16][8];
        for (int i = 0; i < 4; i++)
            other[threadIdx.x / 2][threadIdx.x % 2 * 4 + i] = b[threadIdx.x / 2 * 8 + threadIdx.x % 2 * 4 + i];
        __syncthreads();
        u32 s[4];
        load_matrices_transposed(s, &other[threadIdx.x % 16][0]);
        float d[4] = {{1.0f, 1.0f, 1.0f, 1.0f}};
        mma_bf16(d, r, s[0], s[1]);
        for (int i = 0; i < 4; i++)
            y[(threadIdx.x / 4 + i / 2 * 8) * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];"""
    random = np.random.default_rng(2)
    a, b = random.integers(-8, 8, (16, 16)), random.integers(-8, 8, (16, 8))
    y = np.zeros((16, 8), np.float32)
    parameters = "const int *__restrict__ words, const int *__restrict__ more, float *__restrict__ y"
    run(kernel(parameters, body, 32), bf16(a), bf16(b), y)
    np.testing.assert_array_equal(y, a @ b + 1)


TF32 = """
const int row = threadIdx.x / 4, column = threadIdx.x % 4;
u32 r[4];
for (int i = 0; i < 4; i++)
    r[i] = round_to_tf32(a[(row + i % 2 * 8) * 8 + column + i / 2 * 4]);
float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
mma_tf32(d, r, round_to_tf32(b[column * 8 + row]), round_to_tf32(b[(column + 4) * 8 + row]));
for (int i = 0; i < 4; i++)
    y[(row + i / 2 * 8) * 8 + column * 2 + i % 2] = d[i];
"""
TF32_PARAMETERS = "const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ y"


def tf32(x: np.ndarray) -> np.ndarray:
    """Numbers of 11 significant bits, rounded to nearest and ties away from zero."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).astype(np.uint32).view(np.float32)


def test_a_product_of_tf32() -> None:
    a, b, y = numbers(16, 8), numbers(8, 8), np.zeros((16, 8), np.float32)
    run(kernel(TF32_PARAMETERS, TF32, 32), a, b, y)
    exact = tf32(a).astype(np.float64) @ tf32(b).astype(np.float64)
    np.testing.assert_allclose(y, exact, 1e-6, 1e-6)
    assert abs(y - a.astype(np.float64) @ b).max() > 1e-5  # and not more exact than that


def test_reductions_by_shuffles_have_the_bits_of_the_emulators_own() -> None:
    body = """
        y[threadIdx.x] = block_sum<200>(x[threadIdx.x]);
        z[threadIdx.x] = block_reduce_by_warps<200, Sum, float>(x[threadIdx.x]);
        z[threadIdx.x] += block_reduce_by_warps<200, LargestNum, float>(x[threadIdx.x]) -
            block_largest_num<200>(x[threadIdx.x]);"""
    x, y, z = numbers(200), np.zeros(200, np.float32), np.ones(200, np.float32)
    run(kernel(f"{PARAMETERS}, float *__restrict__ z", body, 200), x, y, z)
    np.testing.assert_array_equal(y, z)
    assert (y == y[0]).all() and abs(y[0] - x.sum(dtype=np.float64)) < 1e-4


def test_scans_by_shuffles_have_the_bits_of_the_emulators_own() -> None:
    for threads in (7, 32, 40, 200, 256):
        body = f"""
        const auto step = pair(x[threadIdx.x], 1 - x[threadIdx.x]);
        const auto a = block_running_recurrence<{threads}>(step);
        const auto b = block_scan_by_warps<{threads}, Recurrence>(step);
        y[threadIdx.x] = a.upto.second + a.all.first;
        z[threadIdx.x] = b.upto.second + b.all.first;"""
        x, y, z = numbers(threads), np.zeros(threads, np.float32), np.ones(threads, np.float32)
        run(kernel(f"{PARAMETERS}, float *__restrict__ z", body, threads), x, y, z)
        np.testing.assert_array_equal(y, z)


def test_reductions_of_pairs_by_shuffles() -> None:
    body = """
        const auto best = pair(x[threadIdx.x], (long)(threadIdx.x ^ 5));
        y[threadIdx.x] = block_first_largest<200>(best).second;
        z[threadIdx.x] = block_reduce_by_warps<200, FirstLargest>(best).second;"""
    x, y, z = np.round(numbers(200)), np.zeros(200, np.float32), np.ones(200, np.float32)
    run(kernel(f"{PARAMETERS}, float *__restrict__ z", body, 200), x, y, z)
    np.testing.assert_array_equal(y, z)
    assert (y == min(np.flatnonzero(x == x.max()) ^ 5)).all()


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_nvcc_takes_the_primitives(tmp_path: Path) -> None:
    bf16_body = f"""{LOADED}
        float d[4] = {{}};
        load_matrices_transposed(r, &tile[0][0]);
        mma_bf16(d, r, r[0], r[1]);
        y[0] = d[0];"""
    kernels = [ring(), kernel(TF32_PARAMETERS, TF32, 32), kernel("const int *words, float *y", bf16_body, 32)]
    for k, made in enumerate(kernels):
        source = tmp_path / f"{k}.cu"
        source.write_text(made.source)
        command = ["nvcc", "-arch=sm_80", "-cubin", "-o", str(tmp_path / "kernel.cubin"), str(source)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0 and not said.stderr.strip(), said.stderr
