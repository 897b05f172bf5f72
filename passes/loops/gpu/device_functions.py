"""Functions of the GPU, in a module of their own, and launches of them."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import gpu
from xdsl.dialects.builtin import (
    DenseArrayBase,
    IntegerType,
    LocationAttr,
    ModuleOp,
    StringAttr,
    SymbolRefAttr,
    UnitAttr,
    i32,
)
from xdsl.ir import Attribute, Block, Region, SSAValue

from ...utils.emitter import Emitter

MODULE = "kernels"
"""The name of the module that holds them."""


class DeviceFunctions:
    """The functions of the GPU of a module, by name; without any at first, perhaps."""

    def __init__(self, module: ModuleOp) -> None:
        found = next((op for op in module.body.block.ops if isinstance(op, gpu.ModuleOp)), None)
        if found is None:
            found = gpu.ModuleOp(StringAttr(MODULE), Region(Block()))  # pyright: ignore[reportArgumentType]
            module.body.block.add_op(found)
            module.attributes["gpu.container_module"] = UnitAttr()
        self.module = found
        self.by_name = {op.sym_name.data: op for op in found.body.block.ops if isinstance(op, gpu.FuncOp)}

    def add(self, name: str, body: Block, blocks: int, threads: int, location: LocationAttr) -> gpu.FuncOp:
        """A new function, by that name or one like it, of a block that lacks its end."""
        fresh, k = name, 1
        while fresh in self.by_name:
            k += 1
            fresh = f"{name}_{k}"
        body.add_op(gpu.ReturnOp([]))
        types = [argument.type for argument in body.args]
        made = gpu.FuncOp(fresh, (types, []), Region(body), True, [threads, 1, 1], [blocks, 1, 1])
        made.location = location
        self.module.body.block.add_op(made)
        self.by_name[fresh] = made
        return made

    def of(self, launch: gpu.LaunchFuncOp) -> gpu.FuncOp:
        """What is launched."""
        return self.by_name[launch.kernel.nested_references.data[-1].data]

    def remove_unused(self, module: ModuleOp) -> None:
        """Drops what nobody launches."""
        used = {self.of(op) for op in module.walk() if isinstance(op, gpu.LaunchFuncOp)}
        for name, function in [*self.by_name.items()]:
            if function not in used:
                del self.by_name[name]
                function.detach()
                function.erase()


def blocks_of(function: gpu.FuncOp) -> int:
    """How many blocks a function is for."""
    return _first(function.known_grid_size)


def threads_of(function: gpu.FuncOp) -> int:
    """How many threads each of its blocks has."""
    return _first(function.known_block_size)


def _first(sizes: DenseArrayBase[IntegerType] | None) -> int:
    assert sizes is not None
    return sizes.get_values()[0]


def launch_function(e: Emitter, function: gpu.FuncOp, operands: Sequence[SSAValue]) -> None:
    """A launch of a function of the GPU."""
    one = e.index(1)
    sizes = [e.index(blocks_of(function)), one, one, e.index(threads_of(function)), one, one]
    segments = [0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, len(operands), 0]
    properties: dict[str, Attribute] = {
        "kernel": SymbolRefAttr(MODULE, [function.sym_name]),
        "operandSegmentSizes": DenseArrayBase.from_list(i32, segments),
    }
    e.create(gpu.LaunchFuncOp, [*sizes, *operands], [], properties)
