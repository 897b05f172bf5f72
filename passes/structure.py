"""What a function computes, as a digest: kernels are merged and programs are cached by it."""

from __future__ import annotations

import hashlib

from xdsl.ir import Attribute, Operation, Region, SSAValue


def structure(function: Operation) -> str:
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
