"""Writes random programs: each statement is run as it is written, so that the next ones know what there is.

program = generate(7)
print(program.text())            def f(a0, a1, scale, training): ...
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import irtool as torch
import numpy as np
from irtool import Tensor

from .state import OPTIMIZERS, namespace
from .statements import EXPRESSIONS, LINES, WEIGHTS

HOLE = re.compile(r"\{(\w+\+?)\}")
MAIN = re.compile(r"([xXaAibp])(\d?\+?)$")
EXTENTS = (1, 2, 2, 3, 3, 4, 5)
LARGEST = 64
"""Above this, values are divided, so that programs stay where numbers are well behaved."""
MOST_ELEMENTS = 4000
INDENT = "    "


@dataclass(frozen=True)
class Program:
    """A function, what it is called with, and the optimizer of the state that it may use."""

    seed: int
    arguments: Sequence[str]
    """Expressions, with `k` for the number of the call."""
    optimizer: str
    body: Sequence[str]
    """Statements; a block is one."""
    result: str
    calls: int = 2

    def names(self) -> list[str]:
        """What the arguments are called."""
        return [f"a{i}" for i in range(len(self.arguments))]

    def text(self) -> str:
        """The program as Python source."""
        given = "".join(f"    a{i} = {text}\n" for i, text in enumerate(self.arguments))
        body = "".join(f"{INDENT}{line}\n" for statement in self.body for line in statement.split("\n"))
        parameters = ", ".join([*self.names(), "scale", "training"])
        return (
            f"# seed {self.seed}, {self.calls} calls\n"
            f"m = State(lambda ps: {self.optimizer})\n\n"
            f"def arguments(k):\n{given}    return ({parameters.replace('scale, training', '0.5 + k, k != 1')})\n\n"
            f"def f({parameters}):\n{body}    return {self.result}\n"
        )

    def with_body(self, body: Sequence[str]) -> Program:
        """The same with other statements."""
        return replace(self, body=tuple(body))


class Fails(Exception):
    """No statement came of an attempt."""


class Generator:
    """A program under construction."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.env: dict[str, Any] = namespace()
        self.names: list[str] = []
        """Variables that hold tensors, oldest first."""
        self.inexact: list[Any] = []
        """Storages whose values depend on the order of computing, or are rounded."""
        self.body: list[str] = []
        self.count = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # Arguments

    def shape(self) -> tuple[int, ...]:
        if self.names and self.chance(0.6):
            return tuple(self.env[self.pick(self.names)].shape)
        rank = self.pick((0, 1, 1, 2, 2, 2, 3))
        return tuple(0 if self.chance(0.02) else self.pick(EXTENTS) for _ in range(rank))

    def argument(self) -> str:
        """An expression that makes one, in which `k` is the number of the call."""
        shape = self.shape()
        new = f"values({shape}, {self.random.randrange(1000)} + k)"
        turned = f"values({shape[::-1]}, {self.random.randrange(1000)} + k)"
        kind = self.random.random()
        if kind < 0.3:
            return new
        if kind < 0.5:
            return f"{new}.requires_grad_()"
        if kind < 0.56:
            return f"{turned}.permute({tuple(range(len(shape)))[::-1]})"
        if kind < 0.62 and shape:
            return f"values({(*shape[:-1], shape[-1] * 2)}, k)[..., ::2]"
        if kind < 0.66 and shape:
            return f"values({(2, *shape)}, k)[1]"
        if kind < 0.70 and shape:
            return f"values({(1, *shape[1:])}, k).expand({shape})"
        if kind < 0.74:
            return f"{new}.requires_grad_() * 2"
        if kind < 0.79:
            return f"{new}.double()"
        if kind < 0.87:
            return f"whole({shape}, k)"
        if kind < 0.91:
            return f"mask({shape}, k)"
        if kind < 0.94 and self.names:
            return self.pick(self.names)
        if kind < 0.97 and self.names:
            return self.pick(("{}.detach()", "{}.view(-1)", "{}[:1]", "{}.t()", "{}.unsqueeze(0)")).format(
                self.pick(self.names)
            )
        return f"{turned}.requires_grad_().permute({tuple(range(len(shape)))[::-1]})"

    # Values

    def is_exact(self, t: Tensor) -> bool:
        return not any(s is t._storage for s in self.inexact)

    def taint(self, value: Any, exact: bool) -> None:
        """Notes that what a statement made or wrote is not exact."""
        for t in _tensors(value):
            if t.dtype.is_floating_point and not (exact and _is_round(t)) and self.is_exact(t):
                self.inexact.append(t._storage)

    def fits(self, name: str, kind: str, rank: str) -> bool:
        t = self.env[name]
        if rank:
            wanted, dim = int(rank[0]), t.dim()
            if dim < wanted or (dim > wanted and not rank.endswith("+")):
                return False
        if kind in "xX" and not t.dtype.is_floating_point:
            return False
        if kind in "XA" and not self.is_exact(t):
            return False
        if kind == "i" and (t.dtype.is_floating_point or t.dtype is torch.bool):
            return False
        return not (kind == "b" and t.dtype is not torch.bool) and (kind != "p" or t.requires_grad)

    def any(self, kind: str, rank: str = "", keep: Callable[[Tensor], bool] | None = None) -> str:
        """A variable of a kind, rather a late one."""
        found = [n for n in self.names if self.fits(n, kind, rank) and (keep is None or keep(self.env[n]))]
        if not found:
            raise Fails
        return self.pick(found[-4:] if self.chance(0.6) else found)

    # Statements

    def fill(self, template: str) -> str:
        """The statement with its holes filled."""
        found: dict[str, str] = {}
        if "{p}" in template or "{L}" in template:
            if self.chance(0.7):
                found["p"] = self.any("p")
            else:
                found["p"] = self.pick(("m.weight", "m.other"))
        main: str | None = None
        for hole in HOLE.findall(template):
            match = MAIN.match(hole)
            if match and hole not in found:
                main = found[hole] = main or self.any(*match.groups())
        t: Tensor | None = None if main is None else self.env[main]
        for hole in HOLE.findall(template):
            if hole not in found:
                found[hole] = self.value_of(hole, main, t)
        return HOLE.sub(lambda match: found[match.group(1)], template)

    def value_of(self, hole: str, main: str | None, t: Tensor | None) -> str:
        """What goes into a hole."""
        if hole == "L":
            return self.loss()
        if hole == "k":
            return str(self.pick((-1, 0, 1, 2, 3)))
        if hole == "c":
            return str(self.pick((-1.0, -0.5, 0.0, 0.5, 1.5, 2.0)))
        if t is None or main is None:
            raise Fails
        shape, rank = tuple(t.shape), t.dim()
        if hole == "shape":
            return repr(shape)
        if hole == "rank":
            return str(rank)
        if hole in "sS":
            return self.alike(main, shape, hole)
        if hole in "yY":
            return self.partner(main, shape, hole)
        if hole == "m":
            same = [n for n in self.names if self.env[n].dtype is torch.bool and tuple(self.env[n].shape) == shape]
            return self.pick(same) if same and self.chance(0.6) else f"({self.alike(main, shape, 'S')} > 0)"
        if hole == "perm":
            order = list(range(rank))
            self.random.shuffle(order)
            return repr(tuple(order))
        if hole == "joined":
            return repr((shape[0] * shape[1], *shape[2:]) if rank > 1 else (*shape, 1))
        if hole == "split":
            even = [d for d in range(rank) if shape[d] and shape[d] % 2 == 0]
            if not even:
                return repr((1, *shape))
            d = self.pick(even)
            return repr((*shape[:d], 2, shape[d] // 2, *shape[d + 1 :]))
        if not rank:
            raise Fails
        d = self.random.randrange(rank)
        e = self.pick([x for x in range(rank) if x != d] or [d])
        self.dims = getattr(self, "dims", None) or (d, e)
        d, e = self.dims
        if hole in ("d", "d0"):
            return str(0 if hole == "d0" else d)
        if hole == "e":
            return str(e - rank if self.chance(0.3) else e)
        if hole == "n":
            return str(shape[d])
        if hole == "n0x":
            return str(max(shape[0], 1))
        extent = shape[{"0": 0, "1": min(1, rank - 1)}.get(hole[-1], d)]
        if not extent:
            raise Fails
        if hole.startswith("at"):
            return str(self.random.randrange(-extent, extent))
        if hole.startswith("index"):
            return repr([self.random.randrange(extent) for _ in range(extent)])
        if hole == "places":
            seed = self.random.randrange(100)
            return f"places({shape}, {extent}, {seed})"
        raise KeyError(hole)

    def alike(self, main: str, shape: tuple[int, ...], hole: str) -> str:
        """A tensor of a shape and type."""
        dtype = self.env[main].dtype
        kind = "a" if hole == "s" else "A"
        same = [
            n
            for n in self.names
            if tuple(self.env[n].shape) == shape and self.env[n].dtype is dtype and self.fits(n, kind, "")
        ]
        if same and self.chance(0.75):
            return self.pick(same)
        return self.pick((f"torch.ones_like({main})", f"{main}.clone()", f"torch.zeros({shape}, dtype={dtype})"))

    def partner(self, main: str, shape: tuple[int, ...], hole: str) -> str:
        """A tensor that broadcasts with another one, mostly to its shape."""
        kind = "x" if hole == "y" else "X"

        def keep(t: Tensor) -> bool:
            other = tuple(t.shape)
            pairs = list(zip(other[::-1], shape[::-1]))
            grows = any(m != n and n == 1 for m, n in pairs) or len(other) > len(shape)
            return all(m == n or 1 in (m, n) for m, n in pairs) and (not grows or self.chance(0.2))

        if self.chance(0.15):
            return str(self.pick((2.0, -0.5, 3)))
        try:
            return self.any(kind, "", keep)
        except Fails:
            return self.pick((f"{main}.sum(0)", f"{main}[..., :1]", f"torch.ones({shape[-1:]})", main))

    def loss(self) -> str:
        """A number that gradients flow back from."""
        name = self.any("p")
        rank = self.env[name].dim()
        if not rank and self.chance(0.7):
            return name
        return self.pick((f"{name}.sum()", f"({name} ** 2).sum()", f"{name}.mean()", f"({name} * {name}).sum()"))

    def run(self, text: str) -> bool:
        """Runs a statement; whether it could be run."""
        try:
            exec(text, self.env)
        except Exception:
            return False
        return True

    def statement(self, indent: bool = False) -> list[str]:
        """Writes and runs one more statement."""
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        template = self.pick(LINES[kind])
        self.dims = None
        try:
            exact = template.startswith("=")
            text = self.fill(template.removeprefix("="))
        except Fails:
            return []
        if kind in EXPRESSIONS:
            return self.expression(text, exact)
        if not self.run(text):
            return []
        if kind == "writes":
            return [text, *self.written(text, "{X" in template)]
        return [text]

    def expression(self, text: str, exact: bool) -> list[str]:
        name = f"v{self.count}"
        if not self.run(f"{name} = {text}"):
            return []
        value = self.env[name]
        if isinstance(value, Tensor):
            if value.numel() > MOST_ELEMENTS or value.dim() > 5 or not _is_finite(value):
                return []
            self.count += 1
            self.names.append(name)
            self.taint(value, exact)
            return [f"{name} = {text}", *self.tamed(name)]
        self.count += 1
        self.others = [*getattr(self, "others", []), name]
        return [f"{name} = {text}"]

    def tamed(self, name: str) -> list[str]:
        """What makes a value small again, if it is large."""
        t = self.env[name]
        if not t.dtype.is_floating_point or not t.numel() or t.detach().abs().max().item() < LARGEST:
            return []
        text = f"{name} = {name} / 64"
        exact = self.is_exact(t)
        self.run(text)
        self.taint(self.env[name], exact)
        return [text]

    def written(self, text: str, exact: bool) -> list[str]:
        """After a write: what it was written to may no longer be exact, or too large."""
        found: list[str] = []
        for name in self.names:
            t = self.env[name]
            if not t.dtype.is_floating_point or not t.numel():
                continue
            if not _is_finite(t):
                found.append(f"{name}.detach().zero_()")
            elif t.detach().abs().max().item() > LARGEST:
                found.append(f"{name}.detach().div_(64)")
            if re.search(rf"\b{name}\b", text) and not (exact and _is_round(t)) and self.is_exact(t):
                self.inexact.append(t._storage)
        for line in found:
            self.run(line)
        return found

    def block(self) -> list[str]:
        """A `with`, a loop or a branch around a few statements."""
        header = self.pick(LINES["blocks"])
        before, inner = list(self.names), []
        grad = "no_grad" not in header and "False" not in header
        with torch.set_grad_enabled(grad):
            for _ in range(self.random.randrange(1, 4)):
                inner += self.statement()
        if not inner:
            return []
        if not header.startswith(("with", "for")):
            self.names = before
        text = "\n".join([header, *(INDENT + line for line in inner)])
        if header == "try:":
            fault = self.pick(("raise RuntimeError('inside')", "[][1]", "pass"))
            text += f"\n{INDENT}{fault}\nexcept (RuntimeError, IndexError):\n{INDENT}pass"
        return [text]

    # The whole

    def generate(self) -> Program:
        arguments: list[str] = []
        self.env["k"] = 0
        for i in range(self.random.randrange(1, 4)):
            text = self.argument()
            if not self.run(f"a{i} = {text}"):
                text = "values((2, 3), 1)"
                self.run(f"a{i} = {text}")
            arguments.append(text)
            self.names.append(f"a{i}")
        for name in self.names:
            self.taint(self.env[name], True)
        optimizer = self.pick(OPTIMIZERS)
        self.run(f"m = State(lambda ps: {optimizer}); scale = 0.5; training = True")
        body: list[str] = []
        torch.manual_seed(self.seed)
        wanted = self.random.randrange(3, 16)
        for _ in range(4 * wanted):
            body += self.block() if self.chance(0.07) else self.statement()
            if len(body) >= wanted:
                break
        if self.chance(0.08):
            self.dims = None
            with suppress(Fails):
                body.append(self.fill(self.pick(LINES["faults"])))
        calls = self.pick((1, 2, 2, 3))
        return Program(self.seed, tuple(arguments), optimizer, tuple(body), self.result(), calls)

    def result(self) -> str:
        names = [n for n in self.names if n.startswith("v")] or self.names
        chosen = [self.pick(names[-5:]) for _ in range(self.pick((1, 1, 2, 3)))]
        if self.chance(0.4):
            chosen.append(self.pick(self.names))
        others = getattr(self, "others", [])
        if others:
            chosen.append(self.pick(others))
        if len(chosen) == 1:
            return chosen[0]
        if self.chance(0.15):
            return "{" + ", ".join(f"'r{i}': {n}" for i, n in enumerate(chosen)) + "}"
        if self.chance(0.15):
            return f"[{chosen[0]}, ({', '.join(chosen[1:])},)]"
        return ", ".join(chosen)


def _tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else []


def _array(t: Tensor) -> np.ndarray[Any, Any]:
    return t.detach().numpy()


def _is_finite(t: Tensor) -> bool:
    return not t.dtype.is_floating_point or bool(np.isfinite(_array(t)).all())


def _is_round(t: Tensor) -> bool:
    scaled = _array(t) * 256
    return bool((np.abs(scaled) < 2**20).all() and (scaled == np.round(scaled)).all())


def generate(seed: int) -> Program:
    """The random program of a number."""
    return Generator(seed).generate()
