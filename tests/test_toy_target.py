"""A target is an addition: this one prints loops as plain Python and runs that, and knows nothing of other targets."""

from __future__ import annotations

import math
from typing import Any

import irtool
import numpy as np
from irtool import nn
from irtool.passes.pipeline import SHARED, Stage
from irtool.runtime import backend
from irtool.runtime.plan import buffer_plan, host_of
from irtool.runtime.python_program import PythonProgram

SIGNS = {"add": "+", "mul": "*", "sub": "-", "div": "/", "or": "|", "and": "&"}
VALUES = {f"arith.{name}{kind}": f"{{0}} {sign} {{1}}" for name, sign in SIGNS.items() for kind in "fi"} | {
    **dict.fromkeys(("arith.index_cast", "memref.cast", "arith.sitofp"), "{0}"),
    **dict.fromkeys(("arith.maximumf", "arith.maxsi"), "max({0}, {1})"),
    **{"math.exp": "math.exp({0})", "math.log": "math.log({0})", "arith.negf": "-{0}"},
    **{"arith.select": "{1} if {0} else {2}", "arith.minsi": "min({0}, {1})"},
}
COMPARE = {"arith.cmpi": ("==", "!=", "<", "<=", ">", ">="), "arith.cmpf": ("", "==", ">", ">=", "<", "<=", "!=")}
FORMATS = {"f32": ("f", 4), "i64": ("q", 8), "i1": ("?", 1)}


def view(memory: memoryview, start: int, type_: str) -> Any:
    *extents, element = type_.removeprefix("memref<").removesuffix(">").split("x")
    (kind, size), shape = FORMATS[element], tuple(map(int, extents))
    return memory[start : start + math.prod(shape) * size].cast(kind, shape)  # type: ignore[call-overload]


STATEMENTS: dict[str, Any] = {
    "scf.yield": lambda op, x, out: f"{out} = {', '.join(x) or '()'}",
    "arith.constant": lambda op, x, out: f"{out} = {op.value.value.data!r}".replace("inf", "math.inf"),
    "memref.load": lambda op, x, out: f"{out} = {x[0]}[{', '.join(x[1:]) or '()'}]",
    "memref.store": lambda op, x, out: f"{x[1]}[{', '.join(x[2:]) or '()'}] = {x[0]}",
    "memref.view": lambda op, x, out: f"{out} = view({x[0]}, {x[1]}, '{op.results[0].type}')",
    "func.call": lambda op, x, out: f"{op.callee.string_value()}({', '.join(x)})",
    "func.return": lambda op, x, out: "return",
    "spmd.stop_on_error": lambda op, x, out: f"if {x[0]}[0]: return",
    **dict.fromkeys(COMPARE, lambda op, x, out: f"{out} = {x[0]} {COMPARE[op.name][op.predicate.value.data]} {x[1]}"),
}


class Printer(dict[Any, str]):
    def __missing__(self, value: Any) -> str:
        return self.setdefault(value, f"v{len(self)}")

    def block(self, block: Any, indent: str, results: str = "_") -> str:
        return "".join(f"{indent}{line}\n" for op in block.ops for line in self.op(op, indent, results))

    def op(self, op: Any, indent: str, results: str) -> list[str]:
        x, out = [self[v] for v in op.operands], ", ".join(self[r] for r in op.results) or "_"
        if op.name == "scf.for":
            counter, *carried = op.body.block.args
            self.update(zip(carried, map(self.get, op.results)))
            loop = f"for {self[counter]} in range({', '.join(x[:3])}):\n{self.block(op.body.block, indent + ' ', out)}"
            return [f"{out} = {', '.join(x[3:]) or '()'}", loop]
        out = results if op.name == "scf.yield" else out
        if op.name == "scf.if":
            return [f"if {x[0]}:\n" + self.block(op.true_region.block, indent + " ")]
        return [STATEMENTS.get(op.name, lambda op, x, out: f"{out} = {VALUES[op.name].format(*x)}")(op, x, out)]


@backend.register
class Toy(backend.Backend):
    name, language = "toy", "python"
    pipeline = (*SHARED, Stage("loops", ("lower-linalg", "hoist-workspace", "cleanup", "share-workspace")))

    def translate(self, module: Any) -> backend.Translation:
        self.lower(clone := module.clone())
        text, names = "", Printer()
        for f in clone.ops:
            head = f"def {f.sym_name.data}({', '.join(names[a] for a in f.body.block.args)}):\n"
            text += head + names.block(f.body.block, " ")
        plan = buffer_plan(host := host_of(clone)) | {"entry": host.sym_name.data}
        return backend.Translation(plan, {"step.py": text})

    def load(self, built: backend.Translation) -> PythonProgram:
        exec(built.sources["step.py"], scope := dict[str, Any](math=math, view=view))
        scratch = [memoryview(bytearray(size)) for role in ("arena", "workspace") if (size := built.plan[role])]
        return PythonProgram(built.plan, lambda b: scope[built.plan["entry"]](*map(memoryview, b), *scratch))


def losses(target: str) -> list[float]:
    irtool.manual_seed(0)
    model, x, y = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), irtool.randn(8, 6), irtool.arange(8) % 3
    optimizer = irtool.optim.SGD(model.parameters(), lr=0.5)

    @irtool.compile(target=target)
    def step() -> Any:
        (loss := nn.functional.cross_entropy(model(x), y)).backward()
        return (optimizer.step(), optimizer.zero_grad(), loss)[-1]

    return [step().item() for _ in range(5)]


def test_an_mlp_trains_on_it() -> None:
    np.testing.assert_allclose(losses("toy"), losses("reference"), 1e-5)
