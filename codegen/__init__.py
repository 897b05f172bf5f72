"""Printing of loops-level IR as C that a person can read."""

from __future__ import annotations

from .c import C, CProgram, Unit, callee_names, kernel_source, print_c, print_kernel
from .files import Files
from .types import CodegenError

__all__ = ["C", "CProgram", "CodegenError", "Files", "Unit", "callee_names", "kernel_source", "print_c", "print_kernel"]
