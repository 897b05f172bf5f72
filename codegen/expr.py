"""C expressions with the precedence of their outermost operator, so that parentheses appear only where needed."""

from __future__ import annotations

from dataclasses import dataclass

# Precedence levels of C, tightest first; TEXT needs no parentheses anywhere (a name, a call, a subscript).
TEXT, UNARY, MULTIPLY, ADD, SHIFT, COMPARE, EQUAL, BIT_AND, BIT_XOR, BIT_OR, AND, OR, TERNARY = range(16, 3, -1)

LEVELS = {
    "*": MULTIPLY, "/": MULTIPLY, "%": MULTIPLY, "+": ADD, "-": ADD, "<<": SHIFT, ">>": SHIFT,
    "<": COMPARE, "<=": COMPARE, ">": COMPARE, ">=": COMPARE, "==": EQUAL, "!=": EQUAL,
    "&": BIT_AND, "^": BIT_XOR, "|": BIT_OR, "&&": AND, "||": OR,
}  # fmt: skip

# gcc -Wall asks for parentheses where people misread the precedence: inside bit operations, shifts and `&&` in `||`.
CONFUSING = {"<<", ">>", "&", "^", "|", "||"}


@dataclass(slots=True)
class CExpr:
    """The text of a C expression and what decides how it may be used."""

    text: str
    level: int = TEXT
    reads: bool = False
    """Whether it reads memory, so that it may not move past a store."""
    splat: bool = False
    """Whether it is a scalar that stands for a vector of equal lanes."""
    operation: tuple[str, str, str] | None = None
    """(operator, left, right) of a binary expression, for `x += y`."""
    constant: bool = False
    """Whether it is a literal."""

    @property
    def is_atom(self) -> bool:
        """Whether it costs nothing to repeat: a name or a literal."""
        return self.constant or (self.level == TEXT and self.text.isidentifier())

    def within(self, level: int) -> str:
        """The text as an operand of an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


def binary(operator: str, left: CExpr, right: CExpr) -> CExpr:
    """`left operator right`, grouped from the left as C does."""
    level = LEVELS[operator]
    if operator == "+" and right.text.startswith("-") and right.constant:
        return binary("-", left, CExpr(right.text[1:], splat=right.splat, constant=True))
    left_text, right_text = left.within(level), right.within(level + 1)
    if operator in CONFUSING:
        left_text, right_text = left.within(UNARY), right.within(UNARY)
    return CExpr(
        f"{left_text} {operator} {right_text}",
        level,
        reads=left.reads or right.reads,
        splat=left.splat and right.splat,
        operation=(operator, left.text, right.text),
    )


def unary(operator: str, operand: CExpr) -> CExpr:
    """`-x`, `!x`, `~x`."""
    text = operand.within(UNARY)
    if text.startswith(operator):  # `- -x` must not become `--x`
        text = f"({text})"
    return CExpr(operator + text, UNARY, reads=operand.reads, splat=operand.splat)


def cast(type_name: str, operand: CExpr) -> CExpr:
    """`(type)x`."""
    return CExpr(f"({type_name}){operand.within(UNARY)}", UNARY, reads=operand.reads)


def call(function: str, *arguments: CExpr) -> CExpr:
    """`f(x, y)`."""
    return CExpr(f"{function}({', '.join(a.text for a in arguments)})", reads=any(a.reads for a in arguments))


def ternary(condition: CExpr, yes: CExpr, no: CExpr) -> CExpr:
    """`c ? x : y`."""
    text = f"{condition.within(OR)} ? {yes.within(OR)} : {no.within(TERNARY)}"
    return CExpr(text, TERNARY, reads=condition.reads or yes.reads or no.reads)
