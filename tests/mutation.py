"""Mutated IR: texts of all levels, with tokens, numbers, types, attributes and lines changed by a seeded generator."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import irtool
from irtool import nn, optim
from irtool.nn import functional as F

FOLDER = Path(__file__).parent / "ir"
STAGES = ("traced", "hl", "kernels", "linalg", "memref", "loops")
SEPARATOR = re.compile(r"^// -----[^\n]*\n", re.MULTILINE)
TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|[%@#!^][\w$.-]+|-?\d+\.\d+(?:e[+-]?\d+)?|-?\d+|[A-Za-z_][\w$.]*|->|[^\s\w]|\s+', re.ASCII
)
NUMBER = re.compile(r"-?\d+")
DIMENSION = re.compile(r"(?<![\w%@#.$-])(\d+|\?)(?=x)|(?<=x)(\d+|\?)(?=x)")
TYPE = re.compile(r"\b(f16|bf16|f32|f64|i1|i8|i32|i64|index)\b")
NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "64",
    "1000",
    "99999",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775809",
)
TYPES = ("f16", "bf16", "f32", "f64", "i1", "i8", "i32", "i64", "index", "none")
KINDS = ("tensor", "memref", "vector")


def programs() -> Iterator[object]:
    """Compiled steps that between them reach all dialects."""
    irtool.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @irtool.compile
    def classify(x: irtool.Tensor, y: irtool.Tensor) -> irtool.Tensor:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    classify(irtool.randn(4, 6), irtool.tensor([0, 1, 2, 0]))
    yield classify
    convolution, table = nn.Conv2d(2, 3, 3, padding=1), nn.Embedding(10, 4)

    @irtool.compile
    def look(images: irtool.Tensor, words: irtool.Tensor) -> tuple[irtool.Tensor, ...]:
        found = F.max_pool2d(convolution(images).relu(), 2)
        return found.mean((2, 3)), F.softmax(table(words) @ table.weight.t(), -1).cumsum(-1), words.sort().values

    look(irtool.randn(2, 2, 6, 6), irtool.tensor([[1, 2, 3], [4, 5, 6]]))
    yield look
    memory = nn.LSTM(3, 4)

    @irtool.compile
    def listen(x: irtool.Tensor) -> irtool.Tensor:
        loss = memory(x)[0].square().mean()
        memory.zero_grad()
        loss.backward()
        return loss

    listen(irtool.randn(5, 2, 3))
    yield listen


@lru_cache(maxsize=1)
def corpus() -> tuple[str, ...]:
    """Texts that are good to begin with: the parts of the tests' IR files, and programs at every stage."""
    files = [path.read_text() for path in sorted(FOLDER.rglob("*.mlir")) if "error" not in path.name]
    parts = [part for text in files for part in SEPARATOR.split(text) if "expected-error" not in part]
    plain = ["".join(line for line in part.splitlines(True) if not line.startswith("//")).strip() for part in parts]
    stages = [step.ir(stage) for step in programs() for stage in STAGES]  # type: ignore[attr-defined]
    return tuple(text for text in (*plain, *stages) if text)


def mutate(text: str, generator: random.Random) -> str:
    """The text with one to three changes."""
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        text = generator.choice(MUTATIONS)(text, generator)
    return text


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def _somewhere(tokens: list[str], generator: random.Random) -> int:
    places = [i for i, token in enumerate(tokens) if not token.isspace()]
    return generator.choice(places) if places else 0


def swap_tokens(text: str, generator: random.Random) -> str:
    tokens = _tokens(text)
    i, j = _somewhere(tokens, generator), _somewhere(tokens, generator)
    if generator.random() < 0.7:
        j = min(i + 2, len(tokens) - 1)
    tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


def delete_token(text: str, generator: random.Random) -> str:
    tokens = _tokens(text)
    del tokens[_somewhere(tokens, generator)]
    return "".join(tokens)


def double_token(text: str, generator: random.Random) -> str:
    tokens = _tokens(text)
    i = _somewhere(tokens, generator)
    tokens.insert(i, tokens[i] + generator.choice((" ", ", ", "")))
    return "".join(tokens)


def _substitute(pattern: re.Pattern[str], others: tuple[str, ...]) -> Callable[[str, random.Random], str]:
    def change(text: str, generator: random.Random) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        match = generator.choice(found)
        return text[: match.start()] + generator.choice(others) + text[match.end() :]

    return change


def _like(pattern: re.Pattern[str]) -> Callable[[str, random.Random], str]:
    """Puts another match of the same text in the place of one."""

    def change(text: str, generator: random.Random) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        match = generator.choice(found)
        return text[: match.start()] + generator.choice(found)[0] + text[match.end() :]

    return change


def change_type_everywhere(text: str, generator: random.Random) -> str:
    """One type by another in all its places: what stays consistent gets further."""
    found = sorted(set(TYPE.findall(text)))
    return re.sub(rf"\b{generator.choice(found)}\b", generator.choice(TYPES), text) if found else text


def change_extent_everywhere(text: str, generator: random.Random) -> str:
    found = sorted({a or b for a, b in DIMENSION.findall(text)})
    if not found:
        return text
    old = re.escape(generator.choice(found))
    return re.sub(rf"(?<![\w%@#.$-]){old}(?=x)|(?<=x){old}(?=x)", generator.choice((*NUMBERS, "?")), text)


def change_lines(text: str, generator: random.Random) -> str:
    lines = text.splitlines(True)
    i, j = generator.randrange(len(lines)), generator.randrange(len(lines))
    match generator.randrange(4):
        case 0:
            lines[i], lines[j] = lines[j], lines[i]
        case 1:
            del lines[i]
        case 2:
            lines.insert(j, lines[i])
        case _:
            if i + 1 < len(lines):
                lines[i], lines[i + 1] = lines[i + 1], lines[i]
    return "".join(lines)


def cut(text: str, generator: random.Random) -> str:
    return text[: generator.randrange(len(text))] if generator.random() < 0.3 and text else text


MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    swap_tokens,
    delete_token,
    double_token,
    _substitute(NUMBER, NUMBERS),
    _substitute(DIMENSION, (*NUMBERS, "?", "")),
    _substitute(TYPE, TYPES),
    _substitute(re.compile(r"\b(tensor|memref|vector)(?=<)"), KINDS),
    change_type_everywhere,
    change_extent_everywhere,
    change_lines,
    cut,
    _like(re.compile(r"%[\w$.-]+")),
    _like(re.compile(r"@[\w$.-]+")),
    _like(re.compile(r"\b[a-z_]+\.[a-z_.]+\b")),
    _like(re.compile(r"(?:tensor|memref|vector)<[^<>]*>")),
    _like(re.compile(r"affine_map<[^>]*->[^>]*>")),
    _like(re.compile(r"\{[^{}]*\}")),
    _substitute(re.compile(r"\{[^{}]*\}|attributes|<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]"), ("", "{}", "()", "[]", "<>")),
    _substitute(re.compile(r"irtool\.\w+(?: = [^,}]+)?"), tuple(
        f"irtool.{name}{value}"
        for name in ("result", "out", "tied", "kernel", "arena", "workspace")
        for value in ("", " = 0 : i64", " = 64", " = -1 : i64", ' = "a"', " = []")
    )),
)  # fmt: skip
