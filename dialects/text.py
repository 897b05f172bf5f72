"""Text in and out: a context with every dialect irtool uses, parsing and printing of modules.

An op whose text has no `loc(...)` gets the place where it stands in the file, so that errors and comments in the
generated C name that line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import AnyFloat, FileLineColLoc, IntAttr, LocationAttr, ModuleOp
from xdsl.ir import Dialect, Operation
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRTokenKind, StringLiteral

from .locations import file_name

# Upstream's takes time exponential in the length of a string that is never closed; this one never goes back.
MLIRLexer._unescaped_characters_regex = re.compile(r'"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+"')

UNDEFINED = re.compile(r"values used but not defined: \[(%[\w$.-]+)")

UPSTREAM = (
    "builtin",
    "func",
    "arith",
    "math",
    "tensor",
    "linalg",
    "memref",
    "scf",
    "vector",
    "affine",
    "bufferization",
    "gpu",
)


def _hl() -> Dialect:
    from .hl import HL

    return HL


def _linalgx() -> Dialect:
    from .linalgx import LINALGX

    return LINALGX


def _spmd() -> Dialect:
    from .spmd import SPMD

    return SPMD


def _vectorx() -> Dialect:
    from .vectorx import VECTORX

    return VECTORX


def _bounds() -> Dialect:
    from .bounds import BOUNDS

    return BOUNDS


def _gpux() -> Dialect:
    from .gpux import GPUX

    return GPUX


OURS: dict[str, Callable[[], Dialect]] = {
    "bounds": _bounds,
    "gpux": _gpux,
    "hl": _hl,
    "linalgx": _linalgx,
    "spmd": _spmd,
    "vectorx": _vectorx,
}


def make_context() -> Context:
    """A context that knows the dialects of every level, loaded when first met."""
    from xdsl.dialects import get_all_dialects

    from .linalg_rules import relax

    relax()
    context = Context()
    available = get_all_dialects()
    for name in UPSTREAM:
        context.register_dialect(name, available[name])
    for name, factory in OURS.items():
        context.register_dialect(name, factory)
    return context


class _Bits(Parser._TensorLiteralElement):
    """An element in hexadecimal: for a float, its bits."""

    def to_type(self, parser: AttrParser, type: Any) -> Any:
        if not isinstance(type, AnyFloat):
            return super().to_type(parser, type)
        size = type.compile_time_size
        if not isinstance(self.value, int) or self.value >= 1 << 8 * size:
            parser.raise_error(f"expected at most {2 * size} hexadecimal digits for {type}", at_position=self.span)
        return next(type.iter_unpack(self.value.to_bytes(size, "little")))


class SourceParser(Parser):
    """A parser that tells each op where in the file it stands, unless the text says where it comes from."""

    def __init__(self, context: Context, text: str, filename: str) -> None:
        super().__init__(context, text, filename)
        self._filename = file_name(filename)
        self._line_starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]
        self._has_location = False
        self.last: Operation | None = None
        """The op that was read last, with all in it."""

    def parse_optional_location(self) -> LocationAttr | None:
        location = super().parse_optional_location()
        self._has_location = location is not None
        return location

    def parse_optional_str_literal(self) -> str | None:
        """Text of any language, as names of files have it: upstream escapes its bytes, but reads ASCII only."""
        token = self._current_token
        if token.kind is MLIRTokenKind.BYTES_LIT:
            with suppress(UnicodeDecodeError):
                text = StringLiteral.from_span(token.span).string_contents
                self._consume_token()
                return text
        return super().parse_optional_str_literal()

    def _parse_tensor_literal_element(self) -> Any:
        """An element of `dense<…>`: upstream prints floats in hexadecimal, but takes such text for an integer."""
        hexadecimal = self._current_token.text[:2] in ("0x", "0X")
        element = super()._parse_tensor_literal_element()
        return _Bits(False, element.value, element.span) if hexadecimal else element

    def parse_comma_separated_list(
        self, delimiter: Parser.Delimiter, parse: Callable[[], Any], context_msg: str = ""
    ) -> list[Any]:
        # The result types of a linalg.generic: upstream prints several in parentheses, but does not read these.
        attributes = delimiter is self.Delimiter.NONE and parse == self.parse_attribute
        if attributes and self._current_token.kind is MLIRTokenKind.L_PAREN:
            delimiter = self.Delimiter.PAREN
        return super().parse_comma_separated_list(delimiter, parse, context_msg)

    def parse_operation(self) -> Operation:
        start = self.pos
        try:
            op = super().parse_operation()
        except (ParseError, RecursionError):
            raise
        except Exception as error:  # an upstream parser or attribute that trips over malformed input: at this op
            self.raise_error(f"malformed IR: {error or type(error).__name__}", start, self.pos)
        if not self._has_location:
            op.location = self.place(start)
        self._has_location = False
        self.last = op
        return op

    def place(self, position: int) -> FileLineColLoc:
        """The line and column of a position in the text."""
        line = bisect_right(self._line_starts, position)
        column = position - self._line_starts[line - 1] + 1
        return FileLineColLoc(self._filename, IntAttr(line), IntAttr(column))


def parse_module(text: str, filename: str = "<string>", context: Context | None = None) -> ModuleOp:
    """The module that a text holds. Raises xDSL's ParseError, which names file, line and column."""
    parser = SourceParser(context or make_context(), text, filename)
    if not text.strip():
        parser.raise_error("expected a module, got an empty file")
    try:
        module = parser.parse_module()
    except RecursionError:
        parser.raise_error("nested too deeply")
    except ParseError as error:
        undefined = UNDEFINED.search(error.msg)
        uses = list(re.finditer(rf"{re.escape(undefined[1])}(?![\w$.-])", text)) if undefined else []
        if undefined and uses:  # upstream says so at the end of the module
            parser.raise_error(f"{undefined[1]} is not defined where it is used", uses[-1].start(), uses[-1].end())
        raise
    if module is not parser.last:  # one that the text leaves out
        module.location = parser.place(0)
    return module


def print_op(op: Operation, locations: bool = True) -> str:
    """The text of an op and all it contains, locations included unless asked otherwise."""
    stream = StringIO()
    Printer(stream, print_debuginfo=locations).print_op(op)
    return stream.getvalue() + "\n"
