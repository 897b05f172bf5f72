"""`-o PATH` of every command: files whole or not at all, links followed, devices and FIFOs written through."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from irtool.tools import output
from irtool.tools.cli import main
from irtool.tools.output import with_suffix, write_bytes

PROGRAM = "func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {\n  func.return %x : tensor<2xf32>\n}\n"
FILE = {"opt": [], "translate": [], "stages": ["--html"], "run": []}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "f.mlir").write_text(PROGRAM)
    return tmp_path / "f.mlir"


def full_device(folder: Path) -> Path:
    """A device of our own that takes no bytes: the machine's own should survive a failing test."""
    path = folder / "full"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        pytest.skip("cannot make a device here")
    return path


@pytest.mark.parametrize("command", FILE)
def test_a_device_is_written_through(command: str, program: Path, tmp_path: Path) -> None:
    device = full_device(tmp_path)
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(main, [command, str(program), *FILE[command], "-o", str(device)])
    assert result.exit_code == 1 and result.stderr == f"{device}: error: No space left on device\n"
    assert stat.S_ISCHR(device.stat().st_mode) and sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", FILE)
def test_a_fifo_is_written_through(command: str, program: Path, tmp_path: Path) -> None:
    fifo, found = tmp_path / "fifo", list[bytes]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    result = CliRunner().invoke(main, [command, str(program), *FILE[command], "-o", str(fifo)])
    reader.join(timeout=20)
    assert result.exit_code == 0 and len(found[0]) > 40, result.output
    assert stat.S_ISFIFO(fifo.stat().st_mode) and not (tmp_path / "fifo.npz").exists()


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link, dangling = tmp_path / "folder" / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_text("old")
    link.symlink_to("folder/target")
    dangling.symlink_to("folder/new")
    write_bytes(b"one", str(link))
    write_bytes(b"two", str(dangling))
    assert link.is_symlink() and dangling.is_symlink()
    assert target.read_bytes() == b"one" and (tmp_path / "folder" / "new").read_bytes() == b"two"
    link.unlink()
    link.symlink_to("link")
    with pytest.raises(OSError, match=r"symbolic links.*link"):
        write_bytes(b"three", str(link))


def test_all_names_of_a_file_have_the_new_content(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("something long")
    os.link(path, other)
    write_bytes(b"new", str(path))
    assert other.read_bytes() == b"new" and path.stat().st_nlink == 2


@pytest.mark.parametrize("linked", [False, True])
def test_nothing_is_lost_on_a_full_disk(linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "a", list[int]()
    path.write_text("all that there was")
    if linked:
        os.link(path, tmp_path / "b")
    write = os.write

    def fills_up(handle: int, data: Any) -> int:
        if not written:
            written.append(write(handle, bytes(data)[:5]))
            return 5
        if len(written) == 1:
            written.append(0)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(output.os, "write", fills_up)
    with pytest.raises(OSError, match=r"No space left on device: '.*/a'"):
        write_bytes(b"the new content, which does not fit", str(path))
    assert path.read_text() == "all that there was"
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_full_disk_speaks_up_before_anything_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("all")
    os.link(path, tmp_path / "b")

    def full(handle: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(b"new", str(path))
    assert path.read_text() == "all"


def test_modes_are_kept_and_new_files_have_the_users(tmp_path: Path) -> None:
    script, new = tmp_path / "script", tmp_path / "new"
    script.write_text("old")
    script.chmod(0o750)
    before = os.umask(0o027)
    try:
        write_bytes(b"1", str(script))
        write_bytes(b"2", str(new))
    finally:
        os.umask(before)
    assert stat.S_IMODE(script.stat().st_mode) == 0o750
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("kept")
    monkeypatch.setattr(output.os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(PermissionError, match="/a"):
        write_bytes(b"new", str(tmp_path / "a"))
    assert (tmp_path / "a").read_text() == "kept"


def test_a_folder_that_takes_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file in it may be written to all the same, as by a shell's `>`."""
    (tmp_path / "a").write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(output.os, "replace", refuse)  # something is mounted on it
    write_bytes(b"new", str(tmp_path / "a"))
    assert (tmp_path / "a").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_standard_output_by_name(program: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "opt", program, "-o", "/dev/stdout"]
    with log.open("a") as stream:
        subprocess.run(command, stdout=stream, check=True)
    assert log.read_text().startswith("before\nbuiltin.module {\n  func.func @f")


def test_a_full_standard_output(program: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "opt", program]
    with full_device(tmp_path).open("wb") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and done.stderr.endswith("error: No space left on device\n")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_on_a_full_device(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", *arguments]
    with full_device(tmp_path).open("wb") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and done.stderr == "error: No space left on device\n"


@pytest.mark.parametrize("command", ["opt", "run"])
def test_a_closed_standard_output(command: str, program: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        source = "import os; os.close(1); import sys; sys.stdout = None; from irtool.tools.cli import main; main()"
        arguments = (sys.executable, "-c", source, command, str(program), *arguments)
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    done = run()
    assert (done.returncode, done.stderr) == (1, "<stdout>: error: Bad file descriptor\n")
    assert run("-o", str(tmp_path / "out.npz")).returncode == 0 and (tmp_path / "out.npz").stat().st_size


@pytest.mark.parametrize(
    "arguments", [["-o", ""], ["-o", "."], ["--such"], ["--seed", "-1"], ["--threads", "0"], ["-i"]]
)
def test_mistakes_in_the_call_are_one_line(arguments: list[str], program: Path) -> None:
    result = CliRunner().invoke(main, ["run", str(program), *arguments])
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_the_suffix_of_archives(program: Path, tmp_path: Path) -> None:
    assert with_suffix("out", ".npz") == with_suffix("out.npz", ".npz") == "out.npz"
    assert with_suffix(os.devnull, ".npz") == os.devnull
    (tmp_path / "link").symlink_to("data.npz")
    assert with_suffix(str(tmp_path / "link"), ".npz") == str(tmp_path / "link")
    assert CliRunner().invoke(main, ["run", str(program), "-o", str(tmp_path / "out")]).exit_code == 0
    assert np.load(tmp_path / "out.npz")["result0"].shape == (2,)


def test_a_traced_file_that_changes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text("import os\nos.chdir('elsewhere')\ndef f(x: 'f32[2]'): return x + 1\n")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["trace", "train.py:f", "-o", "out.mlir"]).exit_code == 0
    assert "hl.add" in (tmp_path / "out.mlir").read_text()
