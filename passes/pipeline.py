"""Pipelines as data: stages in flow order, each a name to stop at and the passes that lead there.

    irtool opt FILE --pipeline cpu --stop-after linalg

Whoever adds a pass to the flow adds its name here.
"""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """A level that programs can be read, edited and run at."""

    name: str
    passes: tuple[str, ...]
    """As on the command line: `name` or `name{option=value}`."""


CPU: tuple[Stage, ...] = (
    Stage(
        "hl",
        (
            "differentiate",
            "simplify",
            "decompose",
            "simplify",
            "sink-reshapes",
            "simplify",
            "drop-barriers",
            "hoist-checks",
        ),
    ),
    Stage("kernels", ("group", "merge-kernels")),
    Stage("linalg", ("convert-hl-to-linalg", "fuse-elementwise", "split-reductions")),
    Stage("memref", ("bufferize", "plan-memory")),
    Stage(
        "loops",
        (
            "contract",
            "lower-linalg",
            "fuse-loops",
            "collapse-loops",
            "tile-loops",
            "expand-math",
            "parallelize",
            "vectorize",
            "chain-sums",
            "hoist-workspace",
            "cleanup",
            "share-workspace",
            "insert-barriers",
            "verify-spmd",
        ),
    ),
)

PIPELINES: dict[str, tuple[Stage, ...]] = {"cpu": CPU}
"""Stages by target."""


def stages(target: str, after: str | None = None, until: str | None = None) -> tuple[Stage, ...]:
    """The stages of a target that follow the one named `after`, up to the one named `until`. Raises ValueError."""
    pipeline = PIPELINES[target]
    names = [stage.name for stage in pipeline]
    for name in (after, until):
        if name is not None and name not in names:
            raise ValueError(f"unknown stage {name!r}: expected one of {', '.join(names)}")
    first = 0 if after is None else names.index(after) + 1
    last = len(names) if until is None else names.index(until) + 1
    return pipeline[first:last]
