"""Where the time of a program goes: the same kernels under a host function that reads the clock around each call.

tick(3);                       // thread 0 closes the interval before and opens that of the third call
matmul_tanh(x, w, h, …);
#pragma omp barrier            // waiting counts for the kernel before
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from ..dialects.marks import KERNEL_ATTRIBUTE
from .backend import Translation
from .profile import KernelTime, Profile
from .program import NativeProgram
from .toolchain import build_program

CLOCK = """\
#include <time.h>

__attribute__((visibility("default"))) double profile_seconds[{count}];
static double profile_last;
static long profile_current;

static void tick(long call)
{{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now = t.tv_sec + 1e-9 * t.tv_nsec;
    profile_seconds[profile_current] += now - profile_last;
    profile_last = now;
    profile_current = call;
}}

"""


class ProfiledProgram:
    """A program that keeps the time of each of its kernel calls."""

    def __init__(self, key: str, made: Translation, calls: int) -> None:
        """Of what a module is as C with the rules of `TimedC`, which has counted calls; `key` is the program's name."""
        sources = {**made.sources, "step.c": CLOCK.format(count=calls + 1) + made.sources["step.c"]}
        entry = build_program(key, sources, made.plan)
        self.plan: Mapping[str, Any] = made.plan
        self._kernels: list[dict[str, str]] = self.plan["kernels"]
        self.program = NativeProgram(entry.shared_object, entry.plan)
        self._times = (ctypes.c_double * (len(self._kernels) + 1)).in_dll(self.program._loaded, "profile_seconds")

    def bind(self) -> Any:
        """A call with pointers to fill."""
        return self.program.bind()

    def reset(self) -> None:
        """Forgets the time so far."""
        ctypes.memset(self._times, 0, ctypes.sizeof(self._times))

    def report(self, runs: int) -> Profile:
        """The mean time of each kernel call over so many runs since the last reset."""
        return Profile(
            tuple(
                KernelTime(kernel["name"], kernel["line"], self._times[i + 1] / runs)
                for i, kernel in enumerate(self._kernels)
            )
        )


class TimedC:
    """How calls, the parallel region and the end of the host function are printed, clock included."""

    def __init__(self) -> None:
        from xdsl.dialects import func

        from ..codegen.c import C
        from ..dialects import spmd

        self.calls = 0
        self.rules = {
            **C,
            func.CallOp: self._call,
            spmd.ParallelOp: self._parallel,
            func.ReturnOp: self._return,
        }

    def _call(self, p: Any, op: Any) -> None:
        from ..codegen.control import print_call

        self.calls += 1
        p.line(f"if ({p.thread} == 0)")
        p.line(f"    tick({self.calls});")
        print_call(p, op)

    def _parallel(self, p: Any, op: Any) -> None:
        from ..codegen.control import print_parallel

        p.line("tick(0);")
        print_parallel(p, op)

    def _return(self, p: Any, op: Any) -> None:
        from ..codegen.control import print_return

        if KERNEL_ATTRIBUTE not in op.parent_op().attributes:
            p.line("tick(0);")
        print_return(p, op)
