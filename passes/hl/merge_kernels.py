"""Merges equal kernels, so that each is lowered and compiled once.

    func.call @matmul_add_relu(%x, %w0, %b0)              func.call @matmul_add_relu(%x, %w0, %b0)
    func.call @matmul_add_relu_2(%h, %w1, %b1)     ->     func.call @matmul_add_relu(%h, %w1, %b1)

Equal means: the same ops in the same order on the same types, with the same attributes and ties. Names and locations do
not count; the kernel that stays lists the lines of all.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from ...dialects.locations import fuse
from ...dialects.marks import KERNEL_ATTRIBUTE
from ..pass_base import functions, remove
from ..structure import structure


@dataclass(frozen=True)
class MergeKernels(ModulePass):
    """See the module's text."""

    name = "merge-kernels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kept: dict[str, FuncOp] = {}
        renamed: dict[str, str] = {}
        locations: dict[str, list[Attribute]] = {}
        for function in functions(op):
            if KERNEL_ATTRIBUTE not in function.attributes:
                continue
            key = structure(function)
            first = kept.setdefault(key, function)
            locations.setdefault(key, []).append(function.location)
            if first is not function:
                renamed[function.sym_name.data] = first.sym_name.data
                remove(function)
        for key, function in kept.items():
            if len(locations[key]) > 1:
                function.location = fuse(locations[key])  # pyright: ignore[reportArgumentType]
        for call in op.walk():
            if isinstance(call, CallOp) and call.callee.string_value() in renamed:
                call.callee = SymbolRefAttr(renamed[call.callee.string_value()])
