"""Prints one function of loops-level IR as C.

    scf.for %i = %c0 to %c64 step %c1 {
      %a = memref.load %x[%i] : memref<64xf32>              for (long i = 0; i < 64; i++)
      %b = arith.mulf %a, %scale : f32              ->          y[i] = x[i] * scale;
      memref.store %b, %y[%i] : memref<64xf32>
    }

An expression that is used once is printed where it is used, unless a store or a barrier would come between a load and
its use; everything else gets a name. Nothing is decided here: no schedule, no fusion, no threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import UnknownLoc
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ..dialects.locations import describe
from ..dialects.names import to_ascii
from ..dialects.types import is_memref, is_vector
from .expr import TEXT, CExpr
from .names import Names
from .types import Array, CodegenError, array, c_type

LINE = 76
"""Longer expressions are split over named values."""

Rule = Callable[["Printer", Any], None]
"""Prints one op of the type it is registered for."""

LETTERS = {"float": "t", "double": "t", "bool": "b", "long": "n", "int": "n", "u8": "n"}
"""First letters of invented names, by type."""


class Printer:
    """The state while a function is printed: names in scope, expressions not yet printed, lines so far."""

    UNROLL: ClassVar[str] = "#pragma GCC unroll {}"
    """What asks for a loop to be unrolled so many times."""

    def __init__(self, rules: Mapping[type[Operation], Rule], names: Names):
        self.rules = rules
        self.names = names
        self.lines: list[str] = []
        self.depth = 1
        self.values: dict[SSAValue, CExpr] = {}
        self.arrays: dict[SSAValue, Array] = {}
        self.pending: dict[SSAValue, None] = {}
        """Values whose expression waits for its only use, in order of definition."""
        self.targets: Sequence[str] = ()
        """The variables that the yield of the current region assigns."""
        self.callees: Mapping[str, str] = {}
        """C names of the functions that may be called."""
        self.thread, self.threads = "thread", "threads"
        self.where = ""
        """The comment of the innermost loop that has one."""
        self.loops_differ = False
        """Whether the loops in the current block come from different lines."""

    # Statements

    def line(self, text: str) -> None:
        """One line of C at the current depth."""
        self.lines.append("    " * self.depth + text if text else "")

    def effect(self, text: str) -> None:
        """A statement that writes memory or synchronizes: earlier loads are printed before it."""
        self.flush_reads()
        self.line(text)

    def flush_reads(self) -> None:
        """Names every waiting expression that reads memory."""
        for value in [v for v in self.pending if self.values[v].reads]:
            if value in self.pending:
                del self.pending[value]
                self.values[value] = self.named(value, self.values[value])

    def comment(self, op: Operation) -> bool:
        """The Python lines of a loop as a comment; whether it printed one.

        Outermost loops have one, and loops next to each other inside another loop if they come from different lines.
        """
        text = comment_text(describe(op.location))
        if not text or text == self.where or (self.where and not self.loops_differ):
            return False
        self.blank()
        self.line(f"// {text}")
        self.where = text
        return True

    def blank(self) -> None:
        """An empty line, where there is none yet and something to set apart."""
        if self.lines and self.lines[-1]:
            self.line("")

    def block(self, block: Block) -> None:
        """All ops of a block, terminators included."""
        rules = self.rules
        for op in block.ops:
            rule = rules.get(type(op))
            if rule is None:
                raise CodegenError(f"no C for {op.name}", op.location)
            try:
                rule(self, op)
            except CodegenError as error:
                if isinstance(error.location, UnknownLoc):
                    raise CodegenError(error.message, op.location) from None
                raise

    # Values

    def use(self, value: SSAValue) -> CExpr:
        """The expression of a value, at its use."""
        self.pending.pop(value, None)
        return self.values[value]

    def atom(self, value: SSAValue) -> CExpr:
        """The expression of a value that will be repeated: a name or a literal."""
        expr = self.vector(value)
        return expr if expr.is_atom else self.named(value, expr)

    def vector(self, value: SSAValue) -> CExpr:
        """The expression of a value where C wants a whole vector, not a scalar for all lanes."""
        return self.whole(self.use(value), value.type)

    @staticmethod
    def whole(expr: CExpr, type_: Attribute) -> CExpr:
        """Spreads an expression that stands for equal lanes."""
        if not expr.splat:
            return expr
        return CExpr(f"splat_{c_type(type_)}({expr.text})", TEXT, expr.reads)

    def define(self, result: SSAValue, expr: CExpr) -> None:
        """Gives a result its expression: printed at its use if there is one in the same block, named otherwise."""
        use = result.get_user_of_unique_use() if not expr.constant else None
        if expr.constant or (expr.is_atom and not expr.splat):
            self.values[result] = expr
        elif use is None and result.first_use is None:
            return
        elif use is not None and use.parent is result.owner.parent and len(expr.text) <= LINE:
            self.values[result] = expr
            self.pending[result] = None
        elif is_cheap_index(expr, result):
            self.values[result] = expr
        else:
            self.values[result] = self.named(result, expr)

    def named(self, value: SSAValue, expr: CExpr) -> CExpr:
        """Declares a variable that holds a value, in the current scope."""
        type_ = c_type(value.type)
        text = self.whole(expr, value.type).text if is_vector(value.type) else expr.text
        name = self.new_name(value, type_)
        self.line(f"{type_} {name} = {text};")
        return CExpr(name)

    def new_name(self, value: SSAValue, type_: str) -> str:
        """A name for a value: its own hint if it has one."""
        if value.name_hint:
            return self.names.fresh(value.name_hint)
        return self.names.temporary(LETTERS.get(type_, "v"))

    def declare(self, value: SSAValue, initial: CExpr | None, hint: SSAValue | None = None) -> str:
        """A variable that will be assigned later."""
        type_ = c_type(value.type)
        name = self.new_name(value if value.name_hint or hint is None else hint, type_)
        text = f" = {self.whole(initial, value.type).text}" if initial is not None else ""
        self.line(f"{type_} {name}{text};")
        return name

    def as_pointer(self, made: Array, text: str) -> str:
        """A pointer to the same bytes, where one to that array is wanted: C converts it by itself."""
        return f"(void *){text}"

    def add_array(self, value: SSAValue, variable: bool = False) -> Array:
        """Registers a memref under a new name."""
        assert is_memref(value.type)
        made = array(self.names.fresh(value.name_hint or "buffer"), value.type, variable)
        self.arrays[value] = made
        return made


def is_cheap_index(expr: CExpr, result: SSAValue) -> bool:
    """Whether to repeat an index such as `i + 1` at each use, as a person would."""
    if expr.operation is None or expr.reads or is_vector(result.type) or c_type(result.type) != "long":
        return False
    operator, left, right = expr.operation
    return operator in "+-" and left.isidentifier() and right.isdigit()


def comment_text(text: str) -> str:
    """Text that is safe in a `//` comment, which file names are part of: ASCII, ends with its line and no sooner.

    A backslash at the end continues the comment, and so does `??/`, its trigraph.
    """
    return "".join(c if c.isprintable() else "?" for c in to_ascii(text)).replace("??/", "???").rstrip("\\ ")
