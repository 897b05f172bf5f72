"""How many threads programs use, compiled and eager ones."""

from __future__ import annotations

import os

_requested: int | None = None
_forked = False


def available_cores() -> int:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _from_environment() -> int | None:
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else None


def get_num_threads() -> int:
    """The size of the team: what `set_num_threads` or OMP_NUM_THREADS says, or the number of cores.

    In a forked child it is 1: the threads of the parent's team do not exist there, and OpenMP would wait for them.
    """
    global _requested
    if _forked:
        return 1
    if _requested is None:
        _requested = _from_environment() or available_cores()
    return _requested


def set_num_threads(count: int) -> None:
    """Sets the size of the team, and how many threads eager matrix products use. Results do not depend on it."""
    from ..dialects.reference import product

    global _requested
    if isinstance(count, bool) or not isinstance(count, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"set_num_threads expects an int, but got {type(count).__name__}")
    if count < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, but got {count}")
    _requested = count
    product.set_threads(count)


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
