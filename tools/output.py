"""What `-o PATH` means, for every command that writes.

nothing there, a file         replaced as a whole: whoever reads it sees the old content or the new
a link to one of these        the same, to what the link names; the link stays
a file with several names     written in place, so that all names have the new content; put back if that fails
a device, a FIFO, /dev/fd/N   written through: it is no file to be replaced
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any, cast

import click

from ..runtime.files import write_all, write_atomically

CANNOT_REPLACE = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS}
"""What a folder says that takes no new file, or a file that something is mounted on: it may still be written to."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write(text: str, output: str | None) -> None:
    """Writes to stdout or where `-o` says."""
    if output is None:
        if cast(Any, sys.stdout) is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), "<stdout>")
        click.echo(text, nl=False)
    else:
        write_bytes(text.encode(), output)


def flush() -> None:
    """Writes what stdout still holds. Python has none where it was closed."""
    if cast(Any, sys.stdout) is not None:
        sys.stdout.flush()


def write_bytes(data: bytes, output: str) -> None:
    """Writes where `-o` says. Raises OSError, with what was there before still there."""
    try:
        _write(data, output)
    except OSError as error:
        error.filename = output  # rather than that of a file that would have taken its place
        raise


def with_suffix(output: str, suffix: str) -> str:
    """The path, with the suffix if it has none and is a file's."""
    special = os.path.exists(output) and not os.path.isfile(output)
    named = output.endswith(suffix) or os.path.realpath(output).endswith(suffix)
    return output if special or named else output + suffix


def _write(data: bytes, output: str) -> None:
    try:
        status = os.stat(output)
    except FileNotFoundError:
        status = None
    if status is not None and (descriptor := _descriptor_of(status)) is not None:
        flush()
        with os.fdopen(os.dup(descriptor), "wb", buffering=0) as file:
            write_all(file.fileno(), data)
    elif status is not None and not stat.S_ISREG(status.st_mode):
        handle = os.open(output, os.O_WRONLY)
        with os.fdopen(handle, "wb", buffering=0):
            write_all(handle, data)
    elif status is None or status.st_nlink == 1:
        _replace(data, Path(os.path.realpath(output)), status)
    else:
        _overwrite(data, output)


def _descriptor_of(status: os.stat_result) -> int | None:
    """The standard stream that a file is, if any: `-o /dev/stdout >> log` adds to the log."""
    for descriptor in (1, 2):
        try:
            if os.path.samestat(os.fstat(descriptor), status):
                return descriptor
        except OSError:  # closed
            continue
    return None


def _replace(data: bytes, path: Path, status: os.stat_result | None) -> None:
    """A file under another name that takes the place of `path`, with its owner and mode, once it is whole."""
    if status is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    try:
        write_atomically(path, data, like=status)
    except OSError as error:
        if status is None or error.errno not in CANNOT_REPLACE:
            raise
        _overwrite(data, str(path))


def _overwrite(data: bytes, output: str) -> None:
    """The same file with other content; the old one again where that fails."""
    readable = os.access(output, os.R_OK)
    handle = os.open(output, os.O_RDWR if readable else os.O_WRONLY)
    with os.fdopen(handle, "r+b" if readable else "wb", buffering=0) as file:
        before = file.read() if readable else None
        try:
            _reserve(handle, len(data))
            os.lseek(handle, 0, os.SEEK_SET)
            write_all(handle, data)
            os.ftruncate(handle, len(data))
        except BaseException:
            if before is not None:
                os.lseek(handle, 0, os.SEEK_SET)
                write_all(handle, before)
                os.ftruncate(handle, len(before))
            raise


def _reserve(handle: int, size: int) -> None:
    """Lets a full disk say so while nothing is lost."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno in FULL:  # others: a file system that cannot tell
                raise
