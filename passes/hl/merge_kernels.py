"""Merges equal kernels, so that each is lowered and compiled once.

    func.call @matmul_add_relu(%x, %w0, %b0)              func.call @matmul_add_relu(%x, %w0, %b0)
    func.call @matmul_add_relu_2(%h, %w1, %b1)     ->     func.call @matmul_add_relu(%h, %w1, %b1)

Equal means: the same ops in the same order on the same types, with the same attributes and ties. Names and locations do
not count; the kernel that stays lists the lines of all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ...dialects.locations import fuse
from ..pass_base import functions, remove
from .group.outline import KERNEL_ATTRIBUTE


def structure(function: FuncOp) -> str:
    """A digest of what a function computes: its signature, ops, attributes and data flow; not names and locations."""
    digest = hashlib.sha256()
    numbers: dict[SSAValue, int] = {}
    texts: dict[Attribute, str] = {}

    def text(attribute: Attribute) -> str:
        if attribute not in texts:
            texts[attribute] = str(attribute)
        return texts[attribute]

    def write(*parts: object) -> None:
        digest.update("\0".join(map(str, parts)).encode() + b"\1")

    def visit_region(region: Region) -> None:
        for block in region.blocks:
            for argument in block.args:
                numbers[argument] = len(numbers)
                write("arg", text(argument.type))
            for op in block.ops:
                visit(op)
            write("end")

    def visit(op: Operation) -> None:
        attributes = {**op.properties, **op.attributes}
        attributes.pop("sym_name", None)
        write(op.name, *(numbers[v] for v in op.operands), *(text(r.type) for r in op.results))
        write(*(f"{key}={text(value)}" for key, value in sorted(attributes.items())))
        for result in op.results:
            numbers[result] = len(numbers)
        for region in op.regions:
            visit_region(region)

    visit(function)
    return digest.hexdigest()


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
