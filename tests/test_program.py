"""Loading a program, calling it cheaply, threads, forks."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from irtool.runtime import threads
from irtool.runtime.program import HUGE, NativeProgram, Scratch
from irtool.runtime.threads import get_num_threads, set_num_threads
from irtool.runtime.toolchain import build_program, content_key

SOURCE = """\
int omp_get_num_threads(void);
int omp_get_thread_num(void);

__attribute__((visibility("default")))
void step(void **buffers, char *arena, char *workspace, int threads, int flush)
{
    long *out = buffers[0], *in = buffers[1];
    #pragma omp parallel num_threads(threads)
    {
        ((long *)workspace)[omp_get_thread_num()] = in[0];
        #pragma omp barrier
        if (omp_get_thread_num() == 0) {
            out[0] = omp_get_num_threads();
            out[1] = ((long *)workspace)[omp_get_num_threads() - 1];
            out[2] = (long)arena % 64 + (long)workspace % 64;
        }
    }
}
"""
PLAN = {"entry": "step", "buffers": 2, "arena": 1000, "workspace": 1000}


@pytest.fixture(scope="module")
def program() -> NativeProgram:
    entry = build_program(content_key(SOURCE), {"step.c": SOURCE}, PLAN)
    return NativeProgram(entry.shared_object, entry.plan)


@pytest.fixture(autouse=True)
def restore_threads():
    before = get_num_threads()
    yield
    set_num_threads(before)


def test_a_call_sees_its_buffers(program: NativeProgram):
    out, first, second = np.zeros(3, np.int64), np.array([7]), np.array([9])
    call = program.bind([out.ctypes.data, first.ctypes.data])
    set_num_threads(2)
    call.run()
    assert out.tolist() == [2, 7, 0]
    call.run([(1, second.ctypes.data)])
    assert out.tolist() == [2, 9, 0]
    call.set(1, first.ctypes.data)
    set_num_threads(1)
    call.run()
    assert out.tolist() == [1, 7, 0]
    call.set_all([second.ctypes.data], start=1)
    call.run()
    assert out.tolist() == [1, 9, 0]


def test_calls_do_not_share_their_pointers(program: NativeProgram):
    arrays = [np.zeros(3, np.int64) for _ in range(2)]
    inputs = [np.array([i]) for i in range(2)]
    calls = [program.bind([a.ctypes.data, i.ctypes.data]) for a, i in zip(arrays, inputs)]
    for call in calls:
        call.run()
    assert [a[1] for a in arrays] == [0, 1]


def test_the_number_of_buffers_is_checked(program: NativeProgram):
    with pytest.raises(ValueError, match="expected 2 buffers, given 1"):
        program.bind([0])


def test_a_call_with_many_buffers_is_cheap():
    source = '__attribute__((visibility("default"))) void step(void **b, char *a, char *w, int t) {}\n'
    entry = build_program(content_key(source), {"step.c": source}, {"entry": "step", "buffers": 150})
    call = NativeProgram(entry.shared_object, entry.plan).bind(list(range(64, 64 * 151, 64)))
    best = 1.0
    for _ in range(50):
        start = time.perf_counter()
        for _ in range(20):
            call.run([(3, 64), (4, 128)])
        best = min(best, (time.perf_counter() - start) / 20)
    assert best < 10e-6


def test_python_threads_take_turns(program: NativeProgram):
    results = [np.zeros(3, np.int64) for _ in range(4)]

    def work(index: int) -> None:
        value = np.array([index])
        call = program.bind([results[index].ctypes.data, value.ctypes.data])
        for _ in range(200):
            call.run()
            assert results[index][1] == index

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [r[1] for r in results] == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_computes_alone(program: NativeProgram):
    out, value = np.zeros(3, np.int64), np.array([5])
    call = program.bind([out.ctypes.data, value.ctypes.data])
    set_num_threads(2)
    call.run()
    process = os.fork()
    if process == 0:
        value[0] = 6
        call.run()
        os._exit(0 if out.tolist() == [1, 6, 0] and get_num_threads() == 1 else 1)
    for _ in range(100):
        finished, status = os.waitpid(process, os.WNOHANG)
        if finished:
            break
        time.sleep(0.1)
    else:
        os.kill(process, 9)
        pytest.fail("the child hangs")
    assert status == 0
    call.run()
    assert out.tolist() == [2, 5, 0]


def test_scratch_memory_is_aligned():
    small, big = Scratch(100), Scratch(HUGE)
    assert small.address % 64 == 0 and big.address % (2 << 20) == 0
    assert Scratch(0).address % 64 == 0


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "_requested", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert get_num_threads() == 3
    monkeypatch.setattr(threads, "_requested", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert get_num_threads() == threads.available_cores()


def test_a_bad_number_of_threads():
    with pytest.raises(RuntimeError, match="positive"):
        set_num_threads(0)
    with pytest.raises(TypeError, match="expects an int, but got str"):
        set_num_threads("2")  # type: ignore[arg-type]


def test_a_missing_library_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match=r"nothing\.so"):
        NativeProgram(tmp_path / "nothing.so", PLAN)
