"""From a module at any level to a loaded program: found among those in use, or built by the target's backend."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from .backend import Backend, Program, find_backend
from .cache import content_key
from .plan import hosts, is_on_buffers

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

PACKAGE = Path(__file__).resolve().parent.parent
COMPILING = ("dialects", "passes", "codegen", "runtime")
"""The parts of the package whose change makes cached programs stale."""
SOURCES = (".py", ".cuh", ".h", ".cpp")


@lru_cache(maxsize=1)
def pipeline_version() -> str:
    """Changes whenever the code of the compiler does."""
    stamps: list[str] = []
    for folder in COMPILING:
        for path in sorted(p for p in (PACKAGE / folder).rglob("*") if p.suffix in SOURCES):
            status = path.stat()
            stamps.append(f"{path.relative_to(PACKAGE)} {status.st_size} {status.st_mtime_ns}")
    return content_key(*stamps)


def program_key(module: ModuleOp, backend: Backend) -> str:
    """What decides the program: the ops without names and locations, the compiler's own code, tools and machine."""
    from ..dialects.locations import file_and_line
    from ..passes.pass_base import functions
    from ..passes.structure import structure

    shapes = [f"{f.sym_name.data} {structure(f)}" for f in functions(module)]
    if "gpu.container_module" in module.attributes:
        from ..codegen.cuda.cuda import kernel_functions

        shapes += [f"{f.sym_name.data} {structure(f)}" for f in kernel_functions(module)]
    # Checks of indices, which programs on buffers get, name the lines of their file.
    on_buffers = any(map(is_on_buffers, hosts(module)))
    lines = [str(file_and_line(op.location)) for op in module.walk()] if on_buffers else []
    return content_key(backend.name, pipeline_version(), backend.identity(), *shapes, *lines)


_loaded: WeakValueDictionary[str, Program] = WeakValueDictionary()
"""Programs in use, so that functions with equal ops share one."""


def compile_module(module: ModuleOp, target: str = "cpu") -> Program:
    """The loaded program of a module at any level; the module is left as it is."""
    backend = find_backend(target)
    key = program_key(module, backend)
    loaded = _loaded.get(key)
    if loaded is None:
        loaded = _loaded[key] = backend.load(backend.build(key, module))
    return loaded
