"""The private folder where compiled code is kept between runs, addressed by content.

    <cache>/v1/objects/<key>.c .o .sum     one C source each, its object, the checksum of that
    <cache>/v1/programs/<key>/             a linked program: library, plan.json, the C it came from, manifest.json
    <cache>/v1/compilers/<key>.json        what probing a compiler told
    <cache>/v1/locks/                      one writer for each key, across processes

Nothing is ever visible half-written: files and folders are made under a temporary name, then renamed. What is read is
checked against its checksum; a damaged entry counts as missing. Where the folder takes no more (full, read-only, gone),
this process goes on in a temporary one, after one warning.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from ..dialects.types import dtype_by_name
from .cache_folder import PARTS, VARIABLE, UnusableFolder, default_base, open_root, remove, temporary_base
from .files import TEMPORARY, write_atomically

STALE_SECONDS = 24 * 3600
LIMIT = 1 << 30
"""Bytes; beyond it, what has not been used for longest goes."""
GRACE_SECONDS = 3600
"""What was used so recently stays in any case: some process may be about to load it."""
MOST = 1 << 47
"""Of bytes that a plan may ask for."""

T = TypeVar("T")


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


def put(temporary: Path, path: Path) -> None:
    """Gives what is finished its name, whatever else may have that name."""
    if path.is_dir() or temporary.is_dir():
        remove(path)
    os.replace(temporary, path)


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that appears whole or not at all, for the user's own eyes."""
    write_atomically(path, data, 0o600, put=put)


@dataclass(frozen=True)
class CacheEntry:
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
        self.root = open_root(base)
        """Where entries are written."""
        self._roots = [self.root]
        """Where they are looked for."""
        self._trimmed = False
        self._lock = threading.Lock()
        self._remove_stale()

    @property
    def objects(self) -> Path:
        """Where objects lie, and their sources."""
        return self.root / "objects"

    def _write(self, write: Callable[[Path], T]) -> T:
        """`write(root)`; where that cannot be written, once more in a temporary folder."""
        root = self.root
        try:
            return write(root)
        except OSError as error:
            self._leave(root, error)
            return write(self.root)

    def _leave(self, root: Path, reason: OSError) -> None:
        with self._lock:
            if self.root is not root:  # another thread was first
                return
            if len(self._roots) > 1:
                raise reason
            self.root = open_root(temporary_base(reason))
            self._roots.insert(0, self.root)

    @contextmanager
    def lock(self, key: str) -> Generator[None]:
        """Held by whoever is making the entry with this key."""
        from filelock import FileLock

        def acquire(root: Path) -> FileLock:
            lock = FileLock(root / "locks" / f"{key}.lock")
            try:
                lock.acquire()
            except NotImplementedError as error:
                raise UnusableFolder(f"{root}: {error}") from error
            return lock

        held = self._write(acquire)
        try:
            yield
        finally:
            with suppress(OSError):  # its folder is gone, or full
                held.release()

    def in_scratch(self, work: Callable[[Path], T]) -> T:
        """What `work` makes of a folder that is removed afterwards."""

        def run(root: Path) -> T:
            folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=root / "compilers"))
            try:
                return work(folder)
            finally:
                remove(folder)

        return self._write(run)

    # Objects

    def object(self, key: str, compile_to: Callable[[Path], None]) -> Path:
        """The object with this key; `compile_to(path)` makes it if there is none, or a damaged one."""
        return self._sound_object(key) or self._write(lambda root: self._add_object(root, key, compile_to))

    def _add_object(self, root: Path, key: str, compile_to: Callable[[Path], None]) -> Path:
        path = root / "objects" / f"{key}.o"
        with self.lock(key):
            if (found := self._sound_object(key)) is not None:  # somebody else made it meanwhile
                return found
            folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=path.parent))
            try:
                compile_to(folder / path.name)
                write_private(path.with_suffix(".sum"), checksum(folder / path.name).encode())
                put(folder / path.name, path)
            finally:
                remove(folder)
        return path

    def _sound_object(self, key: str) -> Path | None:
        for root in self._roots:
            path = root / "objects" / f"{key}.o"
            try:
                if path.with_suffix(".sum").read_text() == checksum(path):
                    _touch(path)
                    return path
            except (OSError, ValueError):
                continue
        return None

    # Programs

    def program(self, key: str) -> CacheEntry | None:
        """The program with this key, if it is there, undamaged and makes sense."""
        for root in self._roots:
            folder = root / "programs" / key
            try:
                manifest = json.loads((folder / "manifest.json").read_bytes())
                if any(manifest[name] != checksum(folder / name) for name in ("program.so", "plan.json")):
                    continue
                plan = json.loads((folder / "plan.json").read_bytes())
                check_plan(plan)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            _touch(folder)
            return CacheEntry(folder, folder / "program.so", plan)
        return None

    def add_program(
        self, key: str, plan: dict[str, Any], sources: dict[str, str], link_to: Callable[[Path], None]
    ) -> CacheEntry:
        """Makes the program with this key; `link_to(path)` writes the library. Call it under the key's lock."""
        return self._write(lambda root: self._add_program(root / "programs" / key, plan, sources, link_to))

    def _add_program(
        self, folder: Path, plan: dict[str, Any], sources: dict[str, str], link_to: Callable[[Path], None]
    ) -> CacheEntry:
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
        try:
            for name, source in sources.items():
                (temporary / name).write_text(source, encoding="utf-8")
            link_to(temporary / "program.so")
            (temporary / "plan.json").write_text(json.dumps(plan))
            manifest = {name: checksum(temporary / name) for name in ("program.so", "plan.json")}
            (temporary / "manifest.json").write_text(json.dumps(manifest))
            put(temporary, folder)
            self._trim_once()
        except BaseException:
            remove(temporary)
            raise
        return CacheEntry(folder, folder / "program.so", plan)

    # Small facts

    def fact(self, key: str) -> dict[str, Any] | None:
        """A stored JSON object."""
        for root in self._roots:
            try:
                record = json.loads((root / "compilers" / f"{key}.json").read_bytes())
                if record["sum"] == content_key(json.dumps(record["fact"])):
                    return record["fact"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return None

    def add_fact(self, key: str, fact: dict[str, Any]) -> None:
        """Stores a JSON object."""
        record = json.dumps({"fact": fact, "sum": content_key(json.dumps(fact))}).encode()
        self._write(lambda root: write_private(root / "compilers" / f"{key}.json", record))

    # Housekeeping

    def clear(self) -> None:
        """Removes all entries."""
        for name in PARTS[:3]:
            for path in (self.root / name).iterdir():
                remove(path)

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
            remove(path)

    def _trim_once(self) -> None:
        if not self._trimmed:
            self._trimmed = True
            with suppress(OSError):  # another process tidies up too
                self.trim()

    def _remove_stale(self) -> None:
        """Removes what interrupted processes left behind under temporary names, a day later."""
        limit = time.time() - STALE_SECONDS
        for name in PARTS[:3]:
            for path in _listed(self.root / name):
                try:
                    if path.name.startswith(TEMPORARY) and path.stat().st_mtime < limit:
                        remove(path)
                except OSError:
                    continue


def _listed(folder: Path) -> Iterable[Path]:
    return [Path(entry.path) for entry in os.scandir(folder) if entry.name.startswith(TEMPORARY)]


def _touch(path: Path) -> None:
    """Notes the last use, where the folder can be written."""
    with suppress(OSError):
        os.utime(path)


_open: dict[tuple[str | None, ...], Cache] = {}


def get_cache() -> Cache:
    """The cache of this process. Where its folder cannot be used, a temporary one and a warning."""
    chosen = tuple(os.environ.get(name) for name in (VARIABLE, "XDG_CACHE_HOME", "HOME"))
    found = _open.get(chosen)
    if found is None or not os.path.isdir(found.objects):  # somebody may have cleared the folder since
        try:
            found = Cache(default_base())
        except OSError as error:
            found = Cache(temporary_base(error))
        _open[chosen] = found
    return found
