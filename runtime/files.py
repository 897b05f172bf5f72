"""Files that appear whole or not at all: written under another name beside their own, then renamed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

TEMPORARY = ".tmp-"
"""How names of files begin that are not finished."""


def write_atomically(
    path: Path,
    data: bytes,
    mode: int = 0o666,
    like: os.stat_result | None = None,
    put: Callable[[Path, Path], None] = os.replace,
) -> None:
    """Writes a file that appears whole or not at all. Raises OSError, which names `path`.

    `mode` is that of a new file, before the umask; `like` the file whose owner and mode it takes; `put` renames it.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb", buffering=0):
            write_all(handle, data)
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.fstat(handle).st_gid):
                    os.chown(temporary, like.st_uid, like.st_gid)
                os.chmod(temporary, stat.S_IMODE(like.st_mode))
        put(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # rather than that of the file that would have taken its place
        temporary.unlink(missing_ok=True)
        raise


def write_all(handle: int, data: bytes) -> None:
    """Writes all of the bytes to an open file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
