"""The folder that compiled code is kept in: found, made private, and another one where it cannot be used."""

from __future__ import annotations

import atexit
import mmap
import os
import shutil
import stat
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

VERSION = "v1"
VARIABLE = "IRTOOL_CACHE_DIR"
PARTS = ("objects", "programs", "compilers", "locks")
ENOUGH = 1 << 20
"""Bytes that a folder must have room for before it is taken in the place of another."""


class UnusableFolder(OSError):
    """A folder that compiled code must not, or cannot, be kept in."""


def default_base() -> Path:
    """IRTOOL_CACHE_DIR, or the user's cache folder."""
    if chosen := os.environ.get(VARIABLE):
        folder = os.path.expanduser(chosen)
        if folder.startswith("~"):
            raise UnusableFolder(f"{VARIABLE}={chosen} names a user who has no home folder here")
        return Path(folder).absolute()
    from platformdirs import user_cache_path

    try:
        return user_cache_path("irtool", appauthor=False).resolve()
    except RuntimeError as error:
        raise UnusableFolder(str(error)) from error


def open_root(base: Path) -> Path:
    """The folder in `base` for this version of the cache, with its parts."""
    root = base / VERSION
    make_private(base, root)
    if not os.access(root, os.W_OK | os.X_OK) and not any((root / "programs").glob("*")):
        raise UnusableFolder(f"{root} is not writable")  # with programs in it, it is worth reading
    if hasattr(os, "ST_NOEXEC") and os.statvfs(root).f_flag & os.ST_NOEXEC:
        raise UnusableFolder(f"code cannot be run from {root}: it is mounted noexec")
    for name in PARTS:
        (root / name).mkdir(mode=0o700, exist_ok=True)
    return root


def make_private(base: Path, root: Path) -> None:
    """Makes `root` a folder that only this user can enter; code is loaded from it."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    around = base.stat().st_mode
    if around & stat.S_IWOTH and not around & stat.S_ISVTX:
        raise UnusableFolder(f"anybody may rename what is in {base}")
    root.mkdir(exist_ok=True, mode=0o700)
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise UnusableFolder(f"{root} is not a folder")
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        raise UnusableFolder(f"{root} belongs to another user")
    if stat.S_IMODE(status.st_mode) != 0o700:
        root.chmod(0o700)


def temporary_base(reason: OSError) -> Path:
    """A folder for this process alone, and a warning that says why. Raises UnusableFolder where no place is left."""
    for place in dict.fromkeys((_temporary_folder(), "/var/tmp", "/dev/shm")):
        if place is None:
            continue
        try:
            base = Path(tempfile.mkdtemp(prefix="irtool-", dir=place))
        except OSError:
            continue
        try:
            _check_takes_code(base)
            open_root(base)
        except OSError:
            shutil.rmtree(base, ignore_errors=True)
            continue
        atexit.register(_remove_if_ours, base, os.getpid())
        warnings.warn(
            f"the cache folder cannot be used ({reason}); compiled code is kept in {base} until this process ends. "
            f"Set {VARIABLE} to a folder of yours to keep it.",
            stacklevel=2,
        )
        return base
    raise UnusableFolder(
        f"the cache folder cannot be used ({reason}), and no temporary folder either: set {VARIABLE} or TMPDIR to a "
        "folder with room"
    )


def _temporary_folder() -> str | None:
    with suppress(OSError):
        return tempfile.gettempdir()
    return None


def _check_takes_code(folder: Path) -> None:
    """Raises OSError where the folder is full, or code must not be run from it."""
    path = folder / "code"
    with path.open("wb+") as file:
        file.write(bytes(ENOUGH))
        file.flush()
        if hasattr(mmap, "PROT_EXEC"):
            mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    path.unlink()


def _remove_if_ours(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a forked child
        shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
