"""Pipelines as data: stages in flow order, each a name to stop at and the passes that lead there.

    irtool opt FILE --pipeline cpu --stop-after linalg

Whoever adds a pass to the flow adds its name here. A target's pipeline belongs to its backend (`runtime/backend.py`).
"""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """A level that programs can be read, edited and run at."""

    name: str
    passes: tuple[str, ...]
    """As on the command line: `name` or `name{option=value}`."""
    entry: tuple[str, ...] = ()
    """What a module goes through that comes in at this level, written by hand perhaps."""


Pipeline = tuple[Stage, ...]

SHARED: Pipeline = (
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
    Stage("kernels", ("group", "merge-kernels"), ("verify-bounds",)),
    Stage("linalg", ("convert-hl-to-linalg", "fuse-elementwise", "split-reductions"), ("verify-bounds",)),
    Stage("memref", ("bufferize", "plan-memory"), ("verify-bounds", "insert-bounds-checks", "plan-memory")),
)
"""Down to kernels on buffers no stage knows for which target it is."""

CPU: Pipeline = (
    *SHARED,
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
        ("verify-bounds", "insert-bounds-checks", "verify-spmd"),
    ),
)

CUDA: Pipeline = (
    *SHARED,
    Stage(
        "loops",
        (
            "attend-blocks",
            "contract-blocks",
            "lower-linalg",
            "fuse-loops",
            "collapse-loops",
            "widen-accesses",
            "map-blocks",
            "chain-sums",
            "hoist-workspace",
            "cleanup",
            "share-workspace",
        ),
    ),
    Stage("gpu", ("outline-launches", "combine-launches", "narrow-indices")),
)

REFERENCE: Pipeline = (Stage("differentiated", ("differentiate",)),)
"""What the reference meanings are evaluated on."""


def stages(pipeline: Pipeline, after: str | None = None, until: str | None = None) -> Pipeline:
    """The stages that follow the one named `after`, up to the one named `until`. Raises ValueError."""
    names = [stage.name for stage in pipeline]
    for name in (after, until):
        if name is not None and name not in names:
            raise ValueError(f"unknown stage {name!r}: expected one of {', '.join(names)}")
    first = 0 if after is None else names.index(after) + 1
    last = len(names) if until is None else names.index(until) + 1
    return pipeline[first:last]
