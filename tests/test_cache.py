"""The cache folder: private, whole, verified, shared by processes, and dispensable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from irtool.runtime.cache import Cache, checksum, content_key, get_cache
from irtool.runtime.cache_folder import UnusableFolder, default_base, make_private
from irtool.runtime.files import write_atomically
from irtool.runtime.toolchain import build_program

SOURCES = {"step.c": '__attribute__((visibility("default"))) void step(void **b, char *a, char *w, int t) {}\n'}
PLAN = {"entry": "step", "buffers": 0}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("IRTOOL_CACHE_DIR", str(tmp_path / "cache"))
    return get_cache()


def leftovers(cache: Cache) -> list[Path]:
    return list(cache.root.rglob(".tmp-*"))


def test_keys_keep_parts_apart():
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key("ab") == content_key(b"ab")


def test_the_folder_is_private(cache: Cache):
    assert cache.root.stat().st_mode & 0o777 == 0o700
    assert cache is get_cache()


def test_an_existing_folder_is_made_private(tmp_path: Path):
    (tmp_path / "v1").mkdir(mode=0o777)
    (tmp_path / "v1").chmod(0o777)
    assert Cache(tmp_path).root.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "v1").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: (tmp_path / "v1").stat().st_uid + 1)
    with pytest.raises(UnusableFolder, match="another user"):
        make_private(tmp_path, tmp_path / "v1")


def test_a_folder_in_which_anybody_may_rename_is_refused(tmp_path: Path):
    tmp_path.chmod(0o777)
    with pytest.raises(UnusableFolder, match="anybody may rename"):
        make_private(tmp_path, tmp_path / "v1")
    tmp_path.chmod(0o1777)  # as /tmp
    make_private(tmp_path, tmp_path / "v1")


ARRAY = {"shape": [2, 3], "dtype": "f32"}


@pytest.mark.parametrize(
    "plan",
    [
        [], {}, 3, None, {"buffers": -1}, {"buffers": "2"}, {"buffers": 1.5}, {"buffers": True}, {"buffers": 1 << 40},
        PLAN | {"arena": -64}, PLAN | {"workspace": 1 << 60}, PLAN | {"entry": "a b"}, PLAN | {"entry": 3},
        PLAN | {"arguments": [ARRAY]}, PLAN | {"arguments": 3}, PLAN | {"results": [ARRAY | {"buffer": 0}]},
        {"buffers": 1, "arguments": [ARRAY], "results": [ARRAY | {"argument": 1}]},
        {"buffers": 1, "arguments": [ARRAY], "results": [ARRAY | {"argument": -1}]},
        {"buffers": 1, "arguments": [ARRAY], "results": [ARRAY]},
        {"buffers": 1, "arguments": [{"shape": [-1], "dtype": "f32"}]},
        {"buffers": 1, "arguments": [{"shape": [1 << 30, 1 << 30], "dtype": "f32"}]},
        {"buffers": 1, "arguments": [{"shape": [1], "dtype": "f16"}]},
        {"buffers": 1, "arguments": [{"shape": 1, "dtype": "f32"}]},
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_counts_as_missing(cache: Cache, plan: object):
    """Also where its checksum is right: sizes and places in memory come from it."""
    entry = build_program("key", SOURCES, PLAN, cache)
    (entry.folder / "plan.json").write_text(json.dumps(plan))
    manifest = {name: checksum(entry.folder / name) for name in ("program.so", "plan.json")}
    (entry.folder / "manifest.json").write_text(json.dumps(manifest))
    assert cache.program("key") is None
    build_program("key", SOURCES, PLAN, cache)
    found = cache.program("key")
    assert found is not None and found.plan == PLAN


def test_a_link_is_refused(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "v1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="not a folder"):
        make_private(tmp_path, tmp_path / "v1")


def test_an_unusable_folder_gives_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IRTOOL_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be used"):
        temporary = get_cache()
    assert get_cache() is temporary  # a second warning would be an error
    assert build_program("k", SOURCES, PLAN).shared_object.is_file()


def test_an_unwritable_folder_is_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(UnusableFolder, match="not writable"):
        Cache(tmp_path)


def test_a_failed_write_leaves_nothing(tmp_path: Path):
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "x", "text")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_programs_are_found_again(cache: Cache):
    assert cache.program("key") is None
    entry = build_program("key", SOURCES, PLAN)
    found = cache.program("key")
    assert found == entry and found.plan == PLAN
    assert (entry.folder / "step.c").read_text() == SOURCES["step.c"]
    assert cache.size() > 0
    cache.clear()
    assert cache.program("key") is None


@pytest.mark.parametrize("name", ["program.so", "plan.json", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", None, b"garbage", "cut"])
def test_a_damaged_program_is_made_again(cache: Cache, name: str, damage: bytes | str | None):
    path = build_program("key", SOURCES, PLAN).folder / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3] if isinstance(damage, str) else damage)
    assert cache.program("key") is None
    assert build_program("key", SOURCES, PLAN).plan == PLAN
    assert cache.program("key") is not None


def test_a_damaged_object_is_made_again(cache: Cache):
    build_program("key", SOURCES, PLAN)
    (path,) = cache.objects.glob("*.o")
    good = path.read_bytes()
    path.write_bytes(good[:100])
    build_program("other", SOURCES, PLAN)
    assert path.read_bytes() == good
    path.with_suffix(".sum").unlink()
    build_program("third", SOURCES, PLAN)
    assert path.with_suffix(".sum").exists()


def test_an_interrupted_build_leaves_nothing(cache: Cache):
    def interrupt(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.object("key", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.add_program("key", PLAN, SOURCES, interrupt)
    assert not leftovers(cache) and cache.program("key") is None
    assert not list(cache.objects.iterdir())


def test_what_killed_processes_left_is_removed_a_day_later(cache: Cache):
    old, new = cache.objects / ".tmp-old.o", cache.objects / ".tmp-new.o"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    Cache(cache.root.parent)
    assert not old.exists() and new.exists()


def test_what_is_long_unused_makes_room(cache: Cache):
    for key in ("old", "new"):
        build_program(key, SOURCES, PLAN)
    long_ago = time.time() - 7 * 24 * 3600
    for path in (cache.root / "programs" / "old", *cache.objects.iterdir()):
        os.utime(path, (long_ago, long_ago))
    cache.trim()
    assert cache.program("old") is not None  # within the limit, all stays
    os.utime(cache.root / "programs" / "old", (long_ago, long_ago))
    cache.trim(limit=100)
    assert cache.program("old") is None and cache.program("new") is not None
    assert not list(cache.objects.iterdir())


def test_damaged_facts_are_forgotten(cache: Cache):
    cache.add_fact("gcc", {"version": "12"})
    assert cache.fact("gcc") == {"version": "12"}
    path = cache.root / "compilers" / "gcc.json"
    path.write_bytes(path.read_bytes().replace(b"12", b"13"))
    assert cache.fact("gcc") is None
    path.write_text("[]")
    assert cache.fact("gcc") is None


def test_processes_that_compile_the_same_thing_wait_for_each_other(cache: Cache, tmp_path: Path):
    program = f"""
import irtool.runtime.toolchain as t
real = t.compile_objects
def counted(*arguments):
    open({str(tmp_path / "count")!r}, "a").write("x")
    return real(*arguments)
t.compile_objects = counted
print(t.build_program("shared", {SOURCES!r}, {PLAN!r}).shared_object)
"""
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(3)]
    paths = {process.communicate(timeout=60)[0] for process in processes}
    assert all(process.returncode == 0 for process in processes) and len(paths) == 1
    assert (tmp_path / "count").read_text() == "x"


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("IRTOOL_CACHE_DIR", raising=False)
    assert default_base().name == "irtool"


def test_a_folder_that_was_cleared_is_made_again(cache: Cache):
    shutil.rmtree(cache.root)
    assert build_program("k", SOURCES, PLAN).shared_object.is_file()
    assert get_cache().root == cache.root
