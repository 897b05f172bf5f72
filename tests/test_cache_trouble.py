"""Caches that cannot be written: compiled code goes elsewhere with one warning, and training goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from irtool.runtime import cache_folder
from irtool.runtime.cache import Cache, get_cache
from irtool.runtime.cache_folder import UnusableFolder
from irtool.runtime.toolchain import build_program, find_compiler, forget_compilers

TRAIN = """
import irtool
from irtool import nn, optim

irtool.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.SGD(model.parameters(), lr=0.1)
x = irtool.randn(4, 8)

@irtool.compile
def step(x):
    loss = model(x).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss

print("loss", step(x).item(), step(x).item())
print("kept in", step.programs()[-1].loaded()[0].shared_object)
"""
SOURCES = {"step.c": '__attribute__((visibility("default"))) void step(void **b, char *a, char *w, int t) {}\n'}
PLAN = {"entry": "step", "buffers": 0}


def train(folder: Path, before: str, **variables: str) -> tuple[str, str, str]:
    """The losses, where the program is kept, and stderr; after some commands in a mount namespace of its own."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    (folder / "train.py").write_text(TRAIN)
    environment = {**os.environ, "IRTOOL_CACHE_DIR": str(folder / "cache"), **variables}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-ec", f'{before}\nexec "$0" "$1"', sys.executable, folder / "train.py"],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "mount: " in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    losses, place = done.stdout.splitlines()
    return losses, place.removeprefix("kept in "), done.stderr


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train(tmp_path_factory.mktemp("plain"), "true")[0]


@pytest.mark.parametrize("kilobytes", [12, 48])
def test_a_full_disk(kilobytes: int, losses: str, tmp_path: Path) -> None:
    """From the start, once the compiler has been asked, or when an object or a library is written."""
    (tmp_path / "cache").mkdir()
    found, place, said = train(tmp_path, f"mount -t tmpfs -o size={kilobytes}k,mode=700 none cache")
    moved = not place.startswith(str(tmp_path / "cache"))
    assert found == losses and (moved or kilobytes > 12)
    assert said.count("the cache folder cannot be used") == said.count("No space left on device") == moved, said


def test_a_full_disk_for_temporary_files_too(losses: str, tmp_path: Path) -> None:
    mounts = "mount -t tmpfs -o size=40k,mode=700 none cache; mount -t tmpfs -o size=40k none small"
    for name in ("cache", "small"):
        (tmp_path / name).mkdir()
    found, place, _ = train(tmp_path, mounts, TMPDIR=str(tmp_path / "small"))
    assert found == losses and not place.startswith(str(tmp_path))


def test_a_read_only_cache_is_read(losses: str, tmp_path: Path) -> None:
    """What is there is used, without a warning; what is not is compiled elsewhere, with one."""
    (tmp_path / "cache").mkdir()
    read_only = "mount --bind cache cache; mount -o remount,bind,ro cache"
    found, place, said = train(tmp_path, read_only)
    assert found == losses and "/irtool-" in place and said.count("cannot be used") == 1
    assert train(tmp_path, "true")[1].startswith(str(tmp_path / "cache"))
    found, place, said = train(tmp_path, read_only)
    assert found == losses and place.startswith(str(tmp_path / "cache")) and not said


def test_a_folder_that_code_cannot_be_run_from(losses: str, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    found, place, said = train(tmp_path, "mount -t tmpfs -o noexec,mode=700 none cache")
    assert found == losses and "/irtool-" in place and said.count("it is mounted noexec") == 1


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("IRTOOL_CACHE_DIR", str(tmp_path / "cache"))
    return get_cache()


def test_folders_in_the_place_of_files(cache: Cache, tmp_path: Path) -> None:
    """And files in the place of folders: what is in the way goes."""
    entry = build_program("key", SOURCES, PLAN)
    made = [*cache.objects.iterdir(), *(cache.root / "compilers").glob("*.json"), *entry.folder.iterdir()]
    assert {path.suffix for path in made} >= {".o", ".c", ".sum", ".json", ".so"}
    for path in made:
        path.unlink()
        (path / "inside").mkdir(parents=True)
    (cache.root / "programs" / "other").write_text("a file")
    forget_compilers()
    for key in ("key", "other"):
        assert cache.program(key) is None
        assert build_program(key, SOURCES, PLAN).shared_object.is_file()
        assert cache.program(key) is not None
    assert find_compiler() and cache.root == tmp_path / "cache" / "v1"


def test_a_lock_that_cannot_be_taken(cache: Cache) -> None:
    (cache.root / "locks" / "key.lock").mkdir()
    with pytest.warns(UserWarning, match="the cache folder cannot be used"):
        entry = build_program("key", SOURCES, PLAN)
    assert entry.shared_object.is_file() and entry == cache.program("key")


@pytest.mark.filterwarnings("ignore:the cache folder cannot be used")
@pytest.mark.parametrize("part", ["objects", "programs", "compilers", "locks"])
def test_a_part_that_vanishes(part: str, cache: Cache) -> None:
    """While the program runs: it goes on."""
    shutil.rmtree(cache.root / part)
    forget_compilers()
    assert build_program("key", SOURCES, PLAN, cache).shared_object.is_file()


@pytest.mark.parametrize("value", ["~nobody-of-this-name/x", "file/x", "file"])
def test_folders_that_cannot_be(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    monkeypatch.setenv("IRTOOL_CACHE_DIR", value)
    with pytest.warns(UserWarning, match="the cache folder cannot be used") as said:
        temporary = get_cache()
    assert get_cache() is temporary and len(said) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_relative_folder_is_the_one_of_the_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CACHE_DIR", "here")
    monkeypatch.chdir(tmp_path)
    first = get_cache()
    monkeypatch.chdir("/")
    assert get_cache() is first and first.root == tmp_path / "here" / "v1"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRTOOL_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(UnusableFolder, match="home directory"):
        cache_folder.default_base()


def test_no_place_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr(cache_folder, "_check_takes_code", refuse)
    with pytest.raises(UnusableFolder, match=r"cannot be used .too small., and no temporary folder either"):
        cache_folder.temporary_base(OSError("too small"))
