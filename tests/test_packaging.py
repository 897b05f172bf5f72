"""The root is the package: every folder is listed, imports flow one way, files stay short, names are registered."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS: dict[str, set[str]] = {
    "dialects": set(),
    "passes": {"dialects"},
    "codegen": {"dialects", "passes"},
    "runtime": {"dialects", "passes", "codegen"},
    "frontend": {"dialects", "passes", "codegen", "runtime"},
    "tools": {"dialects", "passes", "codegen", "runtime", "frontend"},
}
"""What each folder may import, beside itself."""
LONGEST = 450


def sources(folder: str = ".") -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") or part in ("build", "dist") for part in parts):
            yield path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level folder of this package) of every import, those inside functions included."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "irtool":
                    yield node.lineno, "an absolute import of irtool"
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                if (node.module or "").split(".")[0] == "irtool":
                    yield node.lineno, "an absolute import of irtool"
                continue
            target = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            names = [target[0]] if target[0] else [alias.name for alias in node.names]
            yield from ((node.lineno, name) for name in names if name in LAYERS)


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_flow_one_way(folder: str) -> None:
    allowed = LAYERS[folder] | {folder}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {name}"
        for path in sources(folder)
        for line, name in imported(path)
        if name not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_every_folder_of_the_package_is_listed() -> None:
    folders = {path.parent for name in LAYERS for path in sources(name)}
    found = {"irtool", *(".".join(("irtool", *folder.relative_to(ROOT).parts)) for folder in folders)}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_the_root_holds_no_other_folders() -> None:
    known = {*LAYERS, "tests", "docs", "examples", "benchmarks", "build", "dist"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folders = {Path(line).parts[0] for line in listed.stdout.splitlines() if "/" in line}
    assert {name for name in folders if not name.startswith(".")} <= known


def test_files_stay_short() -> None:
    long = {str(p.relative_to(ROOT)): n for p in sources() if (n := len(p.read_text().splitlines())) > LONGEST}
    assert not long


MODULES = ("nn", "nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "utils.data", "autograd")


def test_modules_are_found_under_their_public_names() -> None:
    lines = ["import sys"]
    for name in MODULES:
        lines += [f"import irtool.{name}", f"assert irtool.{name} is sys.modules['irtool.{name}']"]
    lines += ["from irtool.nn.functional import relu", "from irtool.utils.data import DataLoader"]
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True, cwd=ROOT.anchor)


PARTS = {
    "nn.parameter": "Parameter",
    "nn.utils.rnn": "pack_padded_sequence",
    "nn.modules.conv": "Conv2d",
    "nn.modules.activation": "ReLU",
    "nn.modules.upsampling": "Upsample",
    "utils.checkpoint": "checkpoint",
    "utils.data.dataset": "Dataset",
    "optim.optimizer": "Optimizer",
    "distributions.categorical": "Categorical",
    "autograd.function": "Function",
    "autograd.functional": "jacobian",
    "autograd.gradcheck": "gradcheck",
    "autograd.grad_mode": "no_grad",
    "autograd.variable": "Variable",
}
"""Where PyTorch has names that programs import from there."""


@pytest.mark.parametrize("package", ["irtool", "torch"])
def test_parts_are_found_under_every_name_of_the_package(package: str) -> None:
    """Where the package stands for `torch`, its parts are its own, not second copies of their files."""
    lines = [
        "import sys, irtool",
        "sys.modules['torch'] = irtool",
        "from irtool.frontend.nn.parameter import Parameter",
    ]
    for module, name in PARTS.items():
        lines += [f"from {package}.{module} import {name}", f"assert {name}.__module__.startswith('irtool.frontend.')"]
    lines += [
        f"import {package}.nn.functional as F",
        "assert F is irtool.nn.functional",
        "assert Parameter is irtool.nn.Parameter",
    ]
    lines += ["assert irtool.frontend.nn.__spec__.name == 'irtool.frontend.nn'"]
    for missing in ("nn.utils.nothing", "utils.tensorboard", "nothing", "frontend.nothing"):
        lines += [
            "try:",
            f"    import {package}.{missing}",
            "except ModuleNotFoundError: pass",
            "else: raise AssertionError",
        ]
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True, cwd=ROOT.anchor)


HEAVY = (
    *("xdsl.dialects.linalg", "xdsl.dialects.vector", "xdsl.dialects.memref", "multiprocessing", "concurrent.futures"),
    *("irtool.codegen", "irtool.passes", "irtool.frontend.compiling"),
)


def test_importing_loads_no_compiler() -> None:
    """A warm start is one second in all: what only compiling needs is imported when compiling."""
    code = f"import irtool, sys; loaded = [m for m in {HEAVY!r} if m in sys.modules]; assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.anchor)


@pytest.mark.parametrize("name", ["nn", "nn.functional", "optim", "optim.lr_scheduler", "utils.data", "nn.utils"])
def test_all_lists_what_is_there(name: str) -> None:
    import importlib

    module = importlib.import_module(f"irtool.{name}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


def test_the_wheel_holds_everything(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    for path in [*sources(), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE", "py.typed"))]:
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {f"irtool/{p.relative_to(ROOT)}" for name in LAYERS for p in sources(name)} | {"irtool/py.typed"}
    assert expected <= names
    assert not [name for name in names if name.startswith(("irtool/tests", "irtool/examples"))]
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        assert "irtool = irtool.tools.cli:main" in archive.read(entry).decode()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_what_there_is(document: str) -> None:
    text = (ROOT / document).read_text()
    assert not [line for line in text.splitlines() if len(line) > 120]
    known = {path.relative_to(ROOT).as_posix() for path in sources()}
    theirs = {"train.py", "path/to/compare.py"}  # the reader's own
    named = set(re.findall(r"[\w/.-]+\.py\b", text)) - theirs
    assert not {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in known)}


def test_the_tree_names_every_folder() -> None:
    tree = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    folders = {path.parent.relative_to(ROOT).as_posix() for folder in LAYERS for path in sources(folder)}
    missing = {folder for folder in folders if f"{folder.rpartition('/')[2]}/" not in tree}
    assert not missing and len(tree.splitlines()) <= 50, missing
