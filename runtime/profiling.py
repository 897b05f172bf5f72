"""Where the time of a program goes: the same kernels under a host function that reads the clock around each call.

tick(3);                       // thread 0 closes the interval before and opens that of the third call
matmul_tanh(x, w, h, …);
#pragma omp barrier            // waiting counts for the kernel before
"""

# pyright: basic
from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .program import Program

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

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


@dataclass(frozen=True)
class KernelTime:
    """One kernel call of the step."""

    name: str
    line: str
    """The Python lines it computes."""
    seconds: float
    """Of one run of the program."""


@dataclass(frozen=True)
class Profile:
    """The kernel calls of a program in order, with their time; prints as a table."""

    kernels: tuple[KernelTime, ...]

    @property
    def seconds(self) -> float:
        """All kernels together."""
        return sum(k.seconds for k in self.kernels)

    def by_line(self) -> dict[str, float]:
        """Seconds by Python lines, the most expensive first."""
        total: dict[str, float] = {}
        for kernel in self.kernels:
            total[kernel.line] = total.get(kernel.line, 0.0) + kernel.seconds
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        rows = [(f"{k.seconds * 1e6:10.1f}", k.name, k.line) for k in self.kernels]
        rows.append((f"{self.seconds * 1e6:10.1f}", "all kernels", ""))
        width = max(len(name) for _, name, _ in rows)
        lines = [f"{'µs':>10}  {'kernel'.ljust(width)}  line"]
        return "\n".join([*lines, *(f"{time}  {name.ljust(width)}  {line}".rstrip() for time, name, line in rows)])


class ProfiledProgram:
    """A program that keeps the time of each of its kernel calls."""

    def __init__(self, module: ModuleOp, target: str = "cpu") -> None:
        from .compiler import program_key, translate
        from .toolchain import build_program

        timed = TimedC()
        plan, sources = translate(module, target, timed.rules)
        sources["step.c"] = CLOCK.format(count=timed.calls + 1) + sources["step.c"]
        entry = build_program(f"{program_key(module, target)}-profile", sources, plan)
        self._kernels: list[dict[str, str]] = plan["kernels"]
        self.program = Program(entry.shared_object, entry.plan)
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

        if "irtool.kernel" not in op.parent_op().attributes:
            p.line("tick(0);")
        print_return(p, op)
