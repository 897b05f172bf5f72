"""Random functions of a number: statements that compute with it, ask about it and keep it, made from a seed."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

from . import PLACES, Row, Variant, names
from .values import SIZES

LEAVES = ("s", "s", "s", "t", "0.5", "1", "2", "0.7", "3", "-1.5", "o.n", "o.r")

UNARY = (
    *("-{}", "abs({})", "int({})", "float({})", "round({})", "round({}, 1)", "bool({})", "(not {})", "+{}", "{} ** 2"),
    *(
        "math.floor({})",
        "math.sqrt(abs({}))",
        "math.exp(-abs({}))",
        "math.cos({})",
        "math.copysign(1, {})",
        "math.trunc({})",
    ),
    *(
        "hash({})",
        "len(str({}))",
        "len(repr({}))",
        "float(str({}))",
        "({}).real",
        "type({})(2)",
        "len(format({}, '.1f'))",
    ),
    *(
        "isinstance({}, float)",
        "isinstance({}, int)",
        "type({}) is float",
        "type({}) is bool",
        "{} is None",
        "({}).__class__ is int",
    ),
    *(
        "math.isnan({})",
        "math.isfinite({})",
        "hasattr({}, 'is_integer')",
        "hasattr({}, 'bit_length')",
        "float({}).is_integer()",
    ),
    *(
        "sum([{}, 1])",
        "max({}, 0.6)",
        "min(1, {})",
        "sorted([{}, 0.6])[0]",
        "[{}, 2][0]",
        "(lambda v: v)({})",
        "divmod({}, 2)[1]",
    ),
    *(
        "np.float64({}).item()",
        "np.sqrt(abs({})).item()",
        "json.loads(json.dumps({}))",
        "copy.deepcopy([{}])[0]",
        "operator.neg({})",
    ),
    *(
        "helper({})",
        "functools.partial(helper, {})()",
        "next(iter([{}]))",
        "list(map(helper, [{}]))[0]",
        "dict(a={})['a']",
    ),
)

BINARY = (
    *("({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} // {})", "({} % {})", "max({}, {})", "min({}, {})"),
    *(
        "({} < {})",
        "({} <= {})",
        "({} > {})",
        "({} == {})",
        "({} != {})",
        "({} and {})",
        "({} or {})",
        "({} in ({}, 1))",
    ),
    *(
        "({} in {{{}, 0.5}})",
        "{{0.5: 2.0, 1: 3.0}}.get({}, {})",
        "({} if s > 0.6 else {})",
        "math.hypot({}, {})",
        "({} is {})",
    ),
    *("math.isclose({}, {})", "operator.add({}, {})", "functools.reduce(operator.mul, [{}, {}])", "[{}, {}].index(s)"),
    *("({} ^ {})", "({} << ({} % 3))", "pow({}, {} % 3)", "cmp({}, {})"),
)

STATEMENTS = (
    *("t = {a}", "t = {a}", "u = {a}", "y = y * float({a})", "y = y + float({a})", "y = y * ({a})", "y = y - ({a})"),
    *(
        "o.n += 1",
        "o.r = {a}",
        "o.r = o.r * 0.5",
        "o.last = {a}",
        "log.append({a})",
        "log.append(y.sum())",
        "memo[{a}] = {b}",
    ),
    *(
        "y = y * memo.get({a}, 2.0)",
        "memo.setdefault({a}, len(memo))",
        "print({a})",
        "print('%s' % ({a},), {b})",
        "t += {a}",
    ),
    *(
        "if {a}:\n    y = y * 2\nelse:\n    t = {b}",
        "if {a} > {b}:\n    log.append('more')",
        "while 1 < t < 1e6:\n    t = t / 2 - 0.1",
    ),
    *(
        "for k in range(3):\n    t = t + k * ({a})",
        "try:\n    t = {a}\nexcept (ValueError, TypeError, ZeroDivisionError):\n    t = 0.25",
    ),
    *(
        "y = y ** (1 + ({a} > 0))",
        "y = torch.where(y > {a}, y, {b})",
        "y = y.clamp(max=float({a}))",
        "y = F.leaky_relu(y, {a})",
    ),
    *(
        "y = torch.add(y, y, alpha={a})",
        "y = y + torch.tensor({a})",
        "y = y[: int({a}) % 3 + 1]",
        "y = y / (1 + abs({a}))",
    ),
    *(
        "with torch.no_grad():\n    y = y * ({a})",
        "o.best = max(getattr(o, 'best', -9), {a})",
        "assert {a} is not None",
    ),
    *(
        "log.extend([{a}, {b}])",
        "match {a}:\n    case float():\n        y = y + 1\n    case 1 | True:\n        y = y * 3",
    ),
    *(
        "def inner(v=t):\n    return v * 2\nt = inner()",
        "t, u = {b}, t",
        "t = [v for v in ({a}, {b}) if v == v][-1:]\nt = t[0] if t else 1",
    ),
)

PRELUDE = """
def helper(v=1):
    o.calls = getattr(o, "calls", 0) + 1
    return v


def cmp(a, b):
    return (a > b) - (a < b)


def row(x, s):
    o.n, o.r = getattr(o, "n", 0), getattr(o, "r", 1.0)
    y, t, u = x * 2, s, 1
"""


class Generator:
    """Functions of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def expression(self, depth: int) -> str:
        kind = self._random.random()
        if depth == 0 or kind < 0.15:
            return self._random.choice(LEAVES)
        if kind < 0.6:
            return self._random.choice(UNARY).format(self.expression(depth - 1))
        return self._random.choice(BINARY).format(self.expression(depth - 1), self.expression(depth - 1))

    def statement(self) -> str:
        a, b = self.expression(self._random.choice((1, 1, 2, 2, 3))), self.expression(1)
        return self._random.choice(STATEMENTS).format(a=a, b=b)

    def text(self) -> str:
        """The source of `row`, of two arguments `x` and `s`."""
        lines = [line for _ in range(self._random.randint(2, 6)) for line in self.statement().split("\n")]
        results = self._random.choice(("y", "y, t", "y, t, u", "y, {a}", "t, {a}")).format(a=self.expression(2))
        return PRELUDE + "".join(f"    {line}\n" for line in (*lines, f"return {results}"))


def make(text: str, file: str, state: dict[str, Any]) -> Callable[..., Any]:
    """The function of a text."""
    scope = {**vars(names), **state}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(text, file, "exec"), scope)
    return scope["row"]


def row(seed: int) -> Row:
    """The function of a seed."""
    text, file = Generator(seed).text(), f"generated{seed}.py"
    return Row(f"seed {seed}", ("value",), lambda form, state: make(text, file, state), SIZES, file)


def variants(seed: int) -> list[Variant]:
    """Two of its variants."""
    chosen = random.Random(seed)
    return [Variant(row(seed), "value", chosen.choice(tuple(PLACES)), name) for name in chosen.sample(SIZES, 2)]
