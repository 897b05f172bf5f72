"""Numbers that a trace knows, for what Python has to know: a branch, an extent, the places where a mask holds.

torch.eye(n).bool()         follows from constants: evaluated by the reference meanings
if self.initialized:        a buffer: the program relies on what is in it, and holds for the calls that find the same
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from ...dialects.hl import HLOp
from ...dialects.hl.random import BernoulliOp, RandomBitsOp, UniformOp
from ...dialects.reference import REFERENCE, evaluate
from ...runtime.storage import Storage

Array = np.ndarray[Any, Any]

LARGEST = 1 << 20
"""Elements of a buffer that a program may rely on."""

UNKNOWN = (RandomBitsOp, UniformOp, BernoulliOp)
"""Ops whose results differ from call to call, whatever they are made from."""


@dataclass
class Known:
    """What has been found out about the values of one trace."""

    arrays: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    relied_on: dict[Storage, Array] = field(default_factory=dict[Storage, Array])
    """What is in the buffers that the program is for."""
    arguments: dict[int, Array] = field(default_factory=dict[int, Array])
    """The same of arguments, by their place among those of the call."""
    learned: set[Storage] = field(default_factory=set[Storage])
    """Those of weights."""

    def constant(self, value: SSAValue) -> Array | None:
        """The numbers of what follows from constants alone."""
        order = self._order(value, lambda argument: False)
        return None if order is None else _evaluated(order, self.arrays)

    def number(self, trace: Any, value: SSAValue, arguments: bool = False) -> Array | None:
        """The numbers of what follows from constants and from buffers, which the program then relies on; also those of
        whole numbers among the arguments, if these are asked for."""
        found: dict[SSAValue, Array] = {}
        storages: dict[Storage, Array] = {}
        leaves: dict[int, Array] = {}

        def accept(argument: BlockArgument) -> bool:
            storage = self._buffer(trace, argument)
            if storage is not None:
                found[argument] = storages[storage] = storage.array.copy()
                return True
            leaf, array = _leaf(trace, argument) if arguments else (None, None)
            if leaf is None or array is None:
                return False
            found[argument] = leaves[leaf] = array.copy()
            return True

        order = self._order(value, accept)
        if order is None:
            return None
        self.relied_on.update(storages)
        self.arguments.update(leaves)
        return _evaluated(order, {**self.arrays, **found})

    def _buffer(self, trace: Any, argument: BlockArgument) -> Storage | None:
        """The storage that an argument is, where it is one from outside that no call brings along, and no weight, whose
        numbers are others after each step."""
        for storage, source in trace.lifted.items():
            if source.value is argument:
                brought = source.leaf is not None or source.gradient_of is not None
                if brought or storage.symbolic or storage in self.learned:
                    return None
                array = storage.array
                return storage if array.size <= (1 if array.dtype.kind == "f" else LARGEST) else None
        return None

    def _order(self, value: SSAValue, accept: Callable[[BlockArgument], bool]) -> list[SSAValue] | None:
        """What a value is computed from, each after what it needs; None where that is more than numbers can tell."""
        order: dict[SSAValue, None] = {}
        pending: list[tuple[SSAValue, Iterator[SSAValue]]] = [(value, iter(()))]
        following: SSAValue | None = value
        while pending:
            if following is not None:
                needs = () if following in self.arrays else _needs(following)
                if needs is None or (isinstance(following, BlockArgument) and not accept(following)):
                    return None
                pending.append((following, iter(needs)))
            current, rest = pending[-1]
            following = next((v for v in rest if v not in order), None)
            if following is None:
                order[current] = None
                pending.pop()
        return list(order)


def _leaf(trace: Any, argument: BlockArgument) -> tuple[int | None, Array | None]:
    """The place of an argument that holds whole numbers, and these; None for a view, whose bytes are not at hand."""
    for storage, source in trace.lifted.items():
        if source.value is argument and source.leaf is not None and source.spec.dtype.kind == "int":
            if storage.symbolic or storage.array.shape != source.spec.shape:
                return source.leaf, None
            return source.leaf, storage.array
    return None, None


def _evaluated(order: list[SSAValue], arrays: dict[SSAValue, Array]) -> Array:
    """The array of the last of some values; fills in those of the others."""
    for value in order:
        if value not in arrays:
            op = cast(HLOp, value.owner)
            results = evaluate(type(op), [arrays[v] for v in op.operands], op.attributes_dict())
            arrays.update(zip(op.results, results))
    return arrays[order[-1]]


def _needs(value: SSAValue) -> tuple[SSAValue, ...] | None:
    if isinstance(value, BlockArgument):
        return ()
    op: Operation = cast(OpResult, value).op
    if not isinstance(op, HLOp) or op.regions or type(op) not in REFERENCE or isinstance(op, UNKNOWN):
        return None
    return tuple(op.operands)


__all__ = ["Known"]
