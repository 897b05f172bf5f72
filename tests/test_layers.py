"""Imports run one way: between the levels of `passes/`, the parts of `frontend/`, and modules. Those inside functions
and those for types alone count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOW = {
    "passes": (
        *("passes", "passes/utils", "passes/hl", "passes/linalg", "passes/memref"),
        *("passes/loops", "passes/loops/contraction", "passes/loops/cpu", "passes/loops/gpu"),
    ),
    "frontend": (
        # What a tensor is, and how eager code computes.
        *(
            "frontend/modes",
            "frontend/source",
            "frontend/size",
            "frontend/layout",
            "frontend/mutations",
            "frontend/handles",
        ),
        *("frontend/node", "frontend/untouched", "frontend/errors", "frontend/grad_mode", "frontend/tree"),
        *("frontend/devices", "frontend/promotion", "frontend/used_up", "frontend/tensor"),
        *("frontend/on_device", "frontend/eager"),
        *("frontend/tape", "frontend/dispatch", "frontend/surface/unsupported", "frontend/surface/element_types"),
        *("frontend/surface/argument_types", "frontend/surface/argument_kinds", "frontend/creation"),
        # Traces, writes, gradients.
        *("frontend/tracing", "frontend/ranges", "frontend/writes", "frontend/surface/out_argument"),
        *("frontend/surface/argument_names", "frontend/printing", "frontend/autograd"),
        # Operations on tensors, and what is made of them.
        *(
            "frontend/ops",
            "frontend/generator",
            "frontend/random_checks",
            "frontend/random",
            "frontend/autograd/functional",
        ),
        *("frontend/autograd/gradcheck", "frontend/autograd/__init__", "frontend/vmap", "frontend/linalg"),
        *("frontend/special", "frontend/nn/functional", "frontend/surface", "frontend/serialization"),
        *("frontend/nn/utils/rnn", "frontend/nn", "frontend/nn/utils", "frontend/nn/__init__"),
        # Compiled functions, and what else users type.
        *("frontend/compiling", "frontend/compiler", "frontend/optim", "frontend/backends", "frontend/amp"),
        *("frontend/testing", "frontend/func", "frontend/utils", "frontend/probability"),
        *("frontend/distributions", "frontend/cuda", "frontend/__init__"),
    ),
}
"""Folders and files; a module imports from its own and from those before. What a folder offers altogether, which is in
its `__init__`, may stand further on."""

WITHOUT_CIRCLES = ("dialects", "passes", "codegen", "runtime", "frontend", "tools")

NATURAL_CIRCLES: tuple[frozenset[str], ...] = ()
"""Modules that import one another, for a reason."""


def modules(*folders: str) -> dict[str, Path]:
    """Path without its ending, as `passes/hl/fold`, a package by its folder's name -> file."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            name = relative.parent if path.name == "__init__.py" else relative.with_suffix("")
            found[name.as_posix()] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """(line, module) of every relative import of a module that is known, wherever it stands in the file."""
    package = path.relative_to(ROOT).parent
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package
        for _ in range(node.level - 1):
            base = base.parent
        base = base.joinpath(*(node.module or "").split("."))
        for alias in node.names:
            inner = (base / alias.name).as_posix()
            name = inner if inner in known else base.as_posix()
            if name in known and known[name] != path:
                yield node.lineno, name


def layer(name: str) -> int:
    """The place in the flow: that of a package's own entry, or else of the innermost folder or file that is listed."""
    flow = FLOW[name.partition("/")[0]]
    own = f"{name}/__init__"
    if own in flow:
        return flow.index(own)
    around = [entry for entry in flow if name == entry or name.startswith(entry + "/")]
    assert around, f"{name} has no place in FLOW"
    return flow.index(max(around, key=len))


def against_the_flow(known: dict[str, Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: imports {target}"
        for name, path in known.items()
        for line, target in imported(path, known)
        if layer(target) > layer(name)
    ]


def circles(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for target in sorted(graph[name]):
            if target not in number:
                visit(target)
                lowest[name] = min(lowest[name], lowest[target])
            elif target in stack:
                lowest[name] = min(lowest[name], number[target])
        if lowest[name] == number[name]:
            component = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(component) > 1:
                found.append(frozenset(component))

    for name in graph:
        if name not in number:
            visit(name)
    return found


@pytest.mark.parametrize("folder", FLOW)
def test_imports_come_from_what_is_before(folder: str) -> None:
    wrong = against_the_flow(modules(folder))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", FLOW)
def test_all_that_is_listed_is_there(folder: str) -> None:
    known = modules(folder)
    missing = [entry for entry in FLOW[folder] if entry.removesuffix("/__init__") not in known]
    assert not missing, missing


@pytest.mark.parametrize("folder", WITHOUT_CIRCLES)
def test_no_modules_import_one_another(folder: str) -> None:
    known = modules(folder)
    graph = {name: {target for _, target in imported(path, known)} for name, path in known.items()}
    found = [circle for circle in circles(graph) if circle not in NATURAL_CIRCLES]
    assert not found, "\n".join(", ".join(sorted(circle)) for circle in found)


def test_names_of_marks_stand_in_one_place() -> None:
    """`dialects/marks.py` has the attributes that levels exchange; elsewhere they are imported."""
    from irtool.dialects import marks

    names = {value for name, value in vars(marks).items() if name.endswith("_ATTRIBUTE")}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for folder in ("dialects", "passes", "codegen", "runtime", "frontend", "tools")
        for path in modules(folder).values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names and path.name != "marks.py"
    ]
    assert "irtool.kernel" in names and not wrong, "\n".join(wrong)


def test_classes_have_names_of_their_own() -> None:
    """One word a thing, over the whole project. An op's class is known by its dialect, as in MLIR."""
    found: dict[str, list[str]] = {}
    for path in modules(*WITHOUT_CIRCLES).values():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    twice = {
        name: paths
        for name, paths in found.items()
        if len(paths) > 1 and not all(path.startswith("dialects/") for path in paths)
    }
    assert not twice, twice


def test_what_is_against_the_flow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted faults: an import upwards inside a function, and a circle by way of a third module."""
    files = {
        "passes/hl/fold.py": "def f():\n    from ..loops.cpu.vectorize import plan\n",
        "passes/loops/cpu/vectorize.py": "from ...hl import fold\n",
        "passes/loops/unroll.py": "from .cpu import vectorize\nfrom ..hl import fold\n",
        **{f"passes/{name}/__init__.py": "" for name in ("hl", "loops", "loops/cpu")},
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    known = modules("passes")
    assert against_the_flow(known) == [
        "passes/hl/fold.py:2: imports passes/loops/cpu/vectorize",
        "passes/loops/unroll.py:1: imports passes/loops/cpu/vectorize",
    ]
    graph = {name: {target for _, target in imported(path, known)} for name, path in known.items()}
    assert circles(graph) == [frozenset({"passes/hl/fold", "passes/loops/cpu/vectorize"})]


def test_what_is_imported_for_its_type_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "nn/module.py": "if TYPE_CHECKING:\n    from ..compiling.compile import compile\n",
        "compiling/compile.py": "from ..nn.module import Module\n",
    }
    for name, text in files.items():
        path = tmp_path / "frontend" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    known = modules("frontend")
    assert against_the_flow(known) == ["frontend/nn/module.py:2: imports frontend/compiling/compile"]
    graph = {name: {target for _, target in imported(path, known)} for name, path in known.items()}
    assert circles(graph) == [frozenset(known)]
