"""Text in and out: a context with every dialect irtool uses, parsing and printing of modules."""

from __future__ import annotations

from io import StringIO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.printer import Printer


def make_context() -> Context:
    """A context that knows the dialects of every level, loaded when first met."""
    from xdsl.dialects import get_all_dialects

    context = Context()
    upstream = get_all_dialects()
    for name in ("builtin", "func", "arith", "math", "tensor", "linalg", "memref", "scf", "vector", "affine"):
        context.register_dialect(name, upstream[name])

    def hl():
        from .hl import HL

        return HL

    def linalgx():
        from .linalgx import LINALGX

        return LINALGX

    def spmd():
        from .spmd import SPMD

        return SPMD

    def vectorx():
        from .vectorx import VECTORX

        return VECTORX

    for name, factory in (("hl", hl), ("linalgx", linalgx), ("spmd", spmd), ("vectorx", vectorx)):
        context.register_dialect(name, factory)
    return context


def parse_module(text: str, filename: str = "<string>", context: Context | None = None) -> ModuleOp:
    """The module that a text holds. Raises xDSL's ParseError, which names file, line and column."""
    return Parser(context or make_context(), text, filename).parse_module()


def print_op(op: Operation, locations: bool = True) -> str:
    """The text of an op and all it contains, locations included unless asked otherwise."""
    stream = StringIO()
    Printer(stream, print_debuginfo=locations).print_op(op)
    return stream.getvalue() + "\n"
