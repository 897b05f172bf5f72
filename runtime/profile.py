"""Where the time of a program goes, by kernel and by Python line."""

from __future__ import annotations

from dataclasses import dataclass


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
