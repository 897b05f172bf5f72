"""Imports of parts: `import irtool.nn.parameter`, and `torch.nn.parameter` where `torch` stands for this package.

Folders are not laid out as users import them: Python's own search would load files again, under names that their
relative imports do not fit. Instead a dotted name is followed through the modules that there are:

    irtool.nn.utils.rnn            the module that `irtool.nn.utils.rnn` names
    torch.nn.parameter             the same for a program that runs with `sys.modules["torch"] = irtool`
    irtool.nn.modules.conv         as irtool.nn.conv: layers have no folder of their own here
    irtool.distributions.normal    irtool.distributions, a single file that holds all of PyTorch's folder
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

ELSEWHERE = {"nn.modules": "nn"}
"""Folders of PyTorch's whose files are in another one here; what is in no file of that is in the folder itself."""


class PublicNames(MetaPathFinder):
    """Finds the modules below a package, and below whatever name the package has been given."""

    def __init__(self, package: ModuleType) -> None:
        self._package = package
        self._home = f"{package.__name__}.frontend."

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, _, rest = fullname.partition(".")
        if not rest or sys.modules.get(first) is not self._package:
            return None
        module = self._follow(rest)
        return None if module is None else ModuleSpec(fullname, _Found(module))

    def _follow(self, name: str) -> ModuleType | None:
        for prefix, place in ELSEWHERE.items():
            if f"{name}.".startswith(f"{prefix}."):
                return self._follow(place + name.removeprefix(prefix)) or self._follow(place)
        module = self._package
        for part in name.split("."):
            found = getattr(module, part, None)
            if not isinstance(found, ModuleType) and module is not self._package:
                if not module.__path__:
                    return module
                path = f"{module.__name__}.{part}"
                found = import_module(path) if find_spec(path) else None
            if not isinstance(found, ModuleType) or not found.__name__.startswith(self._home):
                return None
            module = found
            if not hasattr(module, "__path__"):
                module.__path__ = []  # Python imports only from what has one
        return module


class _Found(Loader):
    """Loads what is there."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # Python has put that of the other name there


def install(package: ModuleType) -> None:
    """Lets `import` find what the attributes of a package name."""
    sys.meta_path.insert(0, PublicNames(package))


__all__ = ["PublicNames", "install"]
