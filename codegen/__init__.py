"""Printing of loops-level IR as C that a person can read."""

from __future__ import annotations

from .c import CProgram, Unit, kernel_source, print_c
from .types import CodegenError

__all__ = ["CProgram", "CodegenError", "Unit", "kernel_source", "print_c"]
