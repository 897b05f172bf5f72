"""Memory effects of upstream operations that declare none.

Without a `MemoryEffect` trait, DCE, CSE and code motion take an operation for unknown and leave it alone: a dead
`linalg.matmul` or `vector.load` would survive everything. `register_effects()` adds the traits once per process.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from typing import cast

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Operation, SSAValue
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, MemoryReadEffect, MemoryWriteEffect, Pure

__all__ = ["DestinationEffects", "register_effects"]


class DestinationEffects(MemoryEffect):
    """Effects of a destination-passing operation: on tensors none; on memrefs it reads `inputs` and updates `outputs`.

    The operation has `inputs` and `outputs`, as all structured linalg operations do. What its body does counts too.
    """

    @classmethod
    def get_effects(cls, op: Operation) -> Set[EffectInstance]:
        effects = {
            EffectInstance(MemoryEffectKind.READ, value) for value in op.operands if isinstance(value.type, MemRefType)
        }
        outputs = cast("tuple[SSAValue, ...]", getattr(op, "outputs"))  # noqa: B009
        effects |= {
            EffectInstance(MemoryEffectKind.WRITE, value) for value in outputs if isinstance(value.type, MemRefType)
        }
        for region in op.regions:
            for inner in region.walk():
                if inner.name == "memref.load":
                    effects.add(EffectInstance(MemoryEffectKind.READ, inner.operands[0]))
        return effects


@cache
def register_effects() -> None:
    """Adds the missing traits; further calls do nothing."""
    from xdsl.dialects import gpu, linalg, vector
    from xdsl.dialects.linalg.abstract_ops import LinalgStructuredOperation
    from xdsl.dialects.linalg.ops import IndexOp, YieldOp

    for op in linalg.Linalg.operations:
        if issubclass(op, LinalgStructuredOperation):
            op.traits.add_trait(DestinationEffects())
    traits: dict[type[Operation], tuple[MemoryEffect, ...]] = {
        IndexOp: (Pure(),),
        YieldOp: (Pure(),),
        vector.LoadOp: (MemoryReadEffect(),),
        vector.MaskedLoadOp: (MemoryReadEffect(),),
        vector.StoreOp: (MemoryWriteEffect(),),
        vector.MaskedStoreOp: (MemoryWriteEffect(),),
        vector.CreateMaskOp: (Pure(),),
        vector.ReductionOp: (Pure(),),
        vector.BitcastOp: (Pure(),),
        gpu.BlockIdOp: (Pure(),),
        gpu.ThreadIdOp: (Pure(),),
    }
    for op, added in traits.items():
        for trait in added:
            op.traits.add_trait(trait)
