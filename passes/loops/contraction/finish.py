"""What becomes of the finished sums of a contraction: the initial value, the epilogue, the stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from xdsl.ir import Operation, SSAValue

from .classify import AffineAccess, Contraction
from .epilogue import Epilogue


class Elements(Protocol):
    """One element of the output, or several that a target computes as one value."""

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Their sums."""
        ...

    def read(self, access: AffineAccess) -> SSAValue:
        """What lies at their places in a buffer."""
        ...

    def write(self, value: SSAValue, access: AffineAccess) -> None:
        """Stores them."""
        ...

    def evaluate(self, ops: Iterable[Operation], values: dict[SSAValue, SSAValue]) -> None:
        """Copies operations of a body; `values` maps old values to new ones."""
        ...

    def look_up(self, values: dict[SSAValue, SSAValue], value: SSAValue) -> SSAValue:
        """The new value for an old one, or for one from outside of the body."""
        ...


def finish(contraction: Contraction, epilogue: Epilogue, sums: SSAValue, elements: Elements) -> None:
    """Runs the epilogue on finished sums. Of what is stored several times to a buffer, the last counts."""
    out = contraction.out
    if contraction.fill is None:
        sums = elements.add(elements.read(out), sums)
    current: dict[SSAValue, SSAValue] = {out.buffer: sums}
    stores: list[tuple[SSAValue, AffineAccess]] = [(sums, out)]
    for stage in epilogue.stages:
        values: dict[SSAValue, SSAValue] = {}
        for argument, access in stage.inputs:
            known = current.get(access.buffer)
            values[argument] = known if known is not None else elements.read(access)
        elements.evaluate(stage.ops, values)
        for result, access in stage.outputs:
            current[access.buffer] = elements.look_up(values, result)
            stores.append((current[access.buffer], access))
    for value, access in stores:
        if access.buffer in epilogue.stored and current[access.buffer] is value:
            elements.write(value, access)
