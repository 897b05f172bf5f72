"""The private folder where compiled code is kept between runs, addressed by content.

    <cache>/v1/objects/<key>.c .o .sum     one C source each, its object, the checksum of that
    <cache>/v1/programs/<key>/             a linked program: library, plan.json, the C it came from, manifest.json
    <cache>/v1/compilers/<key>.json        what probing a compiler told
    <cache>/v1/locks/                      one writer for each key, across processes

Nothing is ever visible half-written: files and folders are made under a temporary name, then renamed. What is read is
checked against its checksum; a damaged entry counts as missing.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ..dialects.types import dtype_by_name

VERSION = "v1"
VARIABLE = "IRTOOL_CACHE_DIR"
TEMPORARY = ".tmp-"
STALE_SECONDS = 24 * 3600
LIMIT = 1 << 30
"""Bytes; beyond it, what has not been used for longest goes."""
GRACE_SECONDS = 3600
"""What was used so recently stays in any case: some process may be about to load it."""
MOST = 1 << 47
"""Of bytes that a plan may ask for."""


def content_key(*parts: str | bytes) -> str:
    """A name for what these parts make up; parts are kept apart, so that moving text between them changes the name."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def checksum(path: Path) -> str:
    """The checksum of a file's bytes."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Entry:
    """A linked program in the cache."""

    folder: Path
    shared_object: Path
    plan: dict[str, Any]


def check_plan(plan: Any) -> None:
    """Raises ValueError, KeyError or TypeError for a plan that pointers and sizes must not be taken from."""

    def number(value: Any, most: int = MOST) -> int:
        if type(value) is not int or not 0 <= value <= most:
            raise ValueError(f"expected a number from 0 to {most}, got {value!r}")
        return value

    def check_array(array: dict[str, Any]) -> None:
        count = math.prod(number(n) for n in array["shape"])
        number(count * dtype_by_name(array["dtype"]).itemsize)

    if not isinstance(plan, dict):
        raise TypeError(f"expected an object, got {plan!r}")
    plan = cast("dict[str, Any]", plan)
    entry, buffers = plan.get("entry", "step"), number(plan["buffers"], 1 << 20)
    if not isinstance(entry, str) or not entry.isidentifier():
        raise ValueError(f"expected the name of a function, got {entry!r}")
    for scratch in ("arena", "workspace"):
        number(plan.get(scratch, 0))
    arguments = plan.get("arguments", [])
    if len(arguments) > buffers:
        raise ValueError(f"expected at most {buffers} arguments, got {len(arguments)}")
    for array in arguments:
        check_array(array)
    for array in plan.get("results", []):
        check_array(array)
        if "buffer" in array:
            number(array["buffer"], buffers - 1)
        else:
            number(array["argument"], len(arguments) - 1)


class Cache:
    """A folder of compiled code. All methods are safe against other processes that use the same folder."""

    def __init__(self, base: Path):
        self.root = base / VERSION
        make_private(base, self.root)
        for name in ("objects", "programs", "compilers", "locks"):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
        self._remove_stale()
        self._trimmed = False

    @cached_property
    def objects(self) -> Path:
        """Where objects lie, and their sources."""
        return self.root / "objects"

    @contextmanager
    def lock(self, key: str) -> Generator[None]:
        """Held by whoever is making the entry with this key."""
        from filelock import FileLock

        with FileLock(self.root / "locks" / f"{key}.lock"):
            yield

    # Objects

    def object(self, key: str, compile_to: Callable[[Path], None]) -> Path:
        """The object with this key; `compile_to(path)` makes it if there is none, or a damaged one."""
        path = self.objects / f"{key}.o"
        if self._object_is_sound(path):
            os.utime(path)  # the last use
            return path
        with self.lock(key):
            if self._object_is_sound(path):  # somebody else made it meanwhile
                return path
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=".o", dir=self.objects)
            os.close(handle)
            temporary = Path(name)
            try:
                compile_to(temporary)
                write_atomically(path.with_suffix(".sum"), checksum(temporary).encode())
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        return path

    @staticmethod
    def _object_is_sound(path: Path) -> bool:
        try:
            return path.with_suffix(".sum").read_text() == checksum(path)
        except (OSError, ValueError):
            return False

    # Programs

    def program(self, key: str) -> Entry | None:
        """The program with this key, if it is there, undamaged and makes sense."""
        folder = self.root / "programs" / key
        try:
            manifest = json.loads((folder / "manifest.json").read_bytes())
            for name in ("program.so", "plan.json"):
                if manifest[name] != checksum(folder / name):
                    return None
            plan = json.loads((folder / "plan.json").read_bytes())
            check_plan(plan)
            os.utime(folder)  # the last use
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Entry(folder, folder / "program.so", plan)

    def add_program(
        self, key: str, plan: dict[str, Any], sources: dict[str, str], link_to: Callable[[Path], None]
    ) -> Entry:
        """Makes the program with this key; `link_to(path)` writes the library. Call it under the key's lock."""
        folder = self.root / "programs" / key
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
        try:
            for name, source in sources.items():
                (temporary / name).write_text(source)
            link_to(temporary / "program.so")
            (temporary / "plan.json").write_text(json.dumps(plan))
            manifest = {name: checksum(temporary / name) for name in ("program.so", "plan.json")}
            (temporary / "manifest.json").write_text(json.dumps(manifest))
            if folder.exists():  # a damaged entry
                shutil.rmtree(folder)
            os.rename(temporary, folder)
            self._trim_once()
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return Entry(folder, folder / "program.so", plan)

    # Small facts

    def fact(self, key: str) -> dict[str, Any] | None:
        """A stored JSON object."""
        try:
            record = json.loads((self.root / "compilers" / f"{key}.json").read_bytes())
            return record["fact"] if record["sum"] == content_key(json.dumps(record["fact"])) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def add_fact(self, key: str, fact: dict[str, Any]) -> None:
        """Stores a JSON object."""
        record = {"fact": fact, "sum": content_key(json.dumps(fact))}
        write_atomically(self.root / "compilers" / f"{key}.json", json.dumps(record).encode())

    # Housekeeping

    def clear(self) -> None:
        """Removes all entries."""
        for name in ("objects", "programs", "compilers"):
            for path in (self.root / name).iterdir():
                _remove(path)

    def size(self) -> int:
        """Bytes in use."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def trim(self, limit: int = LIMIT) -> None:
        """Removes programs and objects, the longest unused first, until all fit into half the limit."""
        size = self.size()
        if size <= limit:
            return
        entries = [*(self.root / "programs").iterdir(), *self.objects.iterdir()]
        newest = time.time() - GRACE_SECONDS
        for used, path in sorted((p.stat().st_mtime, p) for p in entries):
            if used > newest or size <= limit // 2:
                break
            size -= sum(p.stat().st_size for p in (path, *path.rglob("*")) if p.is_file())
            _remove(path)

    def _trim_once(self) -> None:
        if not self._trimmed:
            self._trimmed = True
            with suppress(OSError):  # another process tidies up too
                self.trim()

    def _remove_stale(self) -> None:
        """Removes what interrupted processes left behind under temporary names, a day later."""
        limit = time.time() - STALE_SECONDS
        for name in ("objects", "programs", "compilers"):
            for path in _listed(self.root / name):
                try:
                    if path.name.startswith(TEMPORARY) and path.stat().st_mtime < limit:
                        _remove(path)
                except OSError:
                    continue


def _listed(folder: Path) -> Iterable[Path]:
    return [Path(entry.path) for entry in os.scandir(folder) if entry.name.startswith(TEMPORARY)]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class UnusableFolder(OSError):
    """A folder that compiled code must not be kept in."""


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
    if not os.access(root, os.W_OK | os.X_OK):
        raise UnusableFolder(f"{root} is not writable")


def default_base() -> Path:
    """IRTOOL_CACHE_DIR, or the user's cache folder."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("irtool", appauthor=False)


_open: dict[Path, Cache] = {}


def get_cache() -> Cache:
    """The cache of this process. Where its folder cannot be used, a temporary one and a warning."""
    base = default_base()
    found = _open.get(base)
    if found is None or not found.objects.is_dir():  # somebody may have cleared the folder since
        try:
            _open[base] = Cache(base)
        except OSError as error:
            temporary = Path(tempfile.mkdtemp(prefix="irtool-"))
            warnings.warn(
                f"the cache folder cannot be used ({error}); compiled code is kept in {temporary} until this process "
                f"ends. Set {VARIABLE} to a folder of yours to keep it.",
                stacklevel=2,
            )
            _open[base] = Cache(temporary)
            atexit.register(_remove_if_ours, temporary, os.getpid())
    return _open[base]


def _remove_if_ours(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a forked child
        shutil.rmtree(folder, ignore_errors=True)
