"""Modules written in C, of packages that many programs use, whose functions only return something: a table.

Python code of such packages is traced as the user's is. Functions in C may call what traced code hands them (`is_leaf`,
`key=`), which is instrumented, and what was registered with them before: a registry says where that is. A trace that
comes to such a function depends on the registry, and sees what is called from there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import attrgetter
from typing import Any


@dataclass(frozen=True)
class Extension:
    """The functions and methods of a module."""

    impure: frozenset[str]
    """Those that change something, or read what no guard watches."""
    transparent: bool = False
    """Whether they use operands only by their methods, or as objects."""
    registry: tuple[str, str] | None = None
    """A module and an attribute of it: what has been registered to be called."""

    def registered(self) -> Any:
        """The registry; None where there is none, or not yet."""
        module, name = self.registry or ("", "")
        try:
            return attrgetter(name)(sys.modules[module])
        except (AttributeError, KeyError):
            return None


_OPTREE = Extension(
    frozenset(("register_node", "unregister_node", "set_dict_insertion_ordered", "__setstate__")),
    transparent=True,
    registry=("optree.registry", "_NODETYPE_REGISTRY"),
)

EXTENSIONS = {"optree": _OPTREE, "optree._C": _OPTREE}
"""By the names of modules."""


__all__ = ["EXTENSIONS", "Extension"]
