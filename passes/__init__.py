"""Passes, and what pays on a target, by name. Each row imports its module when it is asked for: start-up stays fast."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from xdsl.passes import ModulePass


def _lazy(module: str, name: str) -> Callable[[], Any]:
    """A factory for the class `name` in passes/`module`."""
    return lambda: getattr(import_module(f".{module}", __package__), name)


PASSES: dict[str, Callable[[], type[ModulePass]]] = {
    # every level
    "cse": _lazy("cse", "CSE"),
    "dce": _lazy("dce", "DCE"),
    "hoist-invariants": _lazy("hoist", "HoistInvariants"),
    "cleanup": _lazy("cleanup", "Cleanup"),
    # hl
    "differentiate": _lazy("hl.differentiate", "Differentiate"),
    "canonicalize": _lazy("hl.canonicalize", "Canonicalize"),
    "simplify": _lazy("hl.simplify", "Simplify"),
    "decompose": _lazy("hl.decompose", "Decompose"),
    "sink-reshapes": _lazy("hl.sink_reshapes", "SinkReshapes"),
    "drop-barriers": _lazy("hl.decompose", "DropBarriers"),
    "hoist-checks": _lazy("hl.hoist_checks", "HoistChecks"),
    "partition": _lazy("hl.partition", "PartitionFunctions"),
    # kernels
    "group": _lazy("hl.group", "Group"),
    "merge-kernels": _lazy("hl.merge_kernels", "MergeKernels"),
    # linalg
    "convert-hl-to-linalg": _lazy("linalg.convert_hl", "ConvertHLToLinalg"),
    "fuse-elementwise": _lazy("linalg.fuse_elementwise", "FuseElementwise"),
    "split-reductions": _lazy("linalg.split_reductions", "SplitReductions"),
    # memref
    "bufferize": _lazy("linalg.bufferize", "Bufferize"),
    "plan-memory": _lazy("memref.plan_memory", "PlanMemory"),
    # loops
    "contract": _lazy("loops.cpu.contract", "Contract"),
    "lower-linalg": _lazy("loops.lower_linalg", "LowerLinalg"),
    "fuse-loops": _lazy("loops.fuse_loops", "FuseLoops"),
    "collapse-loops": _lazy("loops.collapse_loops", "CollapseLoops"),
    "tile-loops": _lazy("loops.cpu.tile_loops", "TileLoops"),
    "unroll": _lazy("loops.unroll", "Unroll"),
    "parallelize": _lazy("loops.cpu.parallelize", "Parallelize"),
    "expand-math": _lazy("loops.cpu.expand_math", "ExpandMath"),
    "vectorize": _lazy("loops.cpu.vectorize", "Vectorize"),
    "chain-sums": _lazy("loops.chain_sums", "ChainSums"),
    "hoist-workspace": _lazy("loops.workspaces", "HoistWorkspace"),
    "share-workspace": _lazy("loops.workspaces", "ShareWorkspace"),
    "insert-barriers": _lazy("loops.cpu.barriers", "InsertBarriers"),
    "verify-bounds": _lazy("loops.verify_bounds", "VerifyBounds"),
    "insert-bounds-checks": _lazy("loops.insert_bounds_checks", "InsertBoundsChecks"),
    "attend-blocks": _lazy("loops.gpu.attend_blocks", "AttendBlocks"),
    "contract-blocks": _lazy("loops.gpu.contract_blocks", "ContractBlocks"),
    "widen-accesses": _lazy("loops.gpu.widen_accesses", "WidenAccesses"),
    "map-blocks": _lazy("loops.gpu.map_blocks", "MapBlocks"),
    "outline-launches": _lazy("loops.gpu.outline_launches", "OutlineLaunches"),
    "combine-launches": _lazy("loops.gpu.combine_launches", "CombineLaunches"),
    "narrow-indices": _lazy("loops.gpu.narrow_indices", "NarrowIndices"),
    "verify-spmd": _lazy("loops.cpu.verify_spmd", "VerifySPMD"),
}
"""Factories of pass classes, in flow order."""

PROFITABILITY: dict[str, Callable[[], Any]] = {
    "cpu": _lazy("loops.cpu.profitability", "CPUProfitability"),
    "gpu": _lazy("loops.gpu.profitability", "GPUProfitability"),
}
"""What answers the questions of `target.Profitability`, by kind of target."""


def pass_by_name(name: str) -> type[ModulePass]:
    """The class of a pass. Raises KeyError for an unknown name."""
    return PASSES[name]()


def profitability_by_name(kind: str) -> Any:
    """The class that says what pays on a kind of target. Raises KeyError for an unknown one."""
    return PROFITABILITY[kind]()
