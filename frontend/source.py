"""The user's line: the innermost frame outside this package."""

from __future__ import annotations

import os
import sys

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
OURS = (
    PACKAGE + "__init__.py",
    *(PACKAGE + part + os.sep for part in ("frontend", "dialects", "passes", "codegen", "runtime", "tools")),
)
_ours: dict[str, bool] = {}


def is_ours(filename: str) -> bool:
    """Whether a code object's file belongs to this package."""
    known = _ours.get(filename)
    if known is None:
        known = _ours[filename] = filename.startswith(OURS) or filename.startswith("<frozen")
    return known


def user_frame() -> tuple[str, int]:
    """(file, line) of the innermost frame outside the package; ("", 0) where there is none."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_ours(filename):
            return filename, frame.f_lineno
        frame = frame.f_back
    return "", 0
