"""What the tests of the target "cuda" need where there is no GPU: a stand-in for the driver, and PyCUDA built for it.

    libcuda.so.1    every entry point of cuda.h; those that the runtime comes across run the emulator, the others say
                    that they are missing
    site/           PyCUDA from its sources, linked with that, and what it imports

Both are kept in a folder of the user's, outside of the repository: PyCUDA takes more than a minute to build.
`python -m tests.cuda_driver.build` makes them and says where they are, and the wheel; IRTOOL_PYCUDA names sources or a
wheel to take where there is no network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock
from irtool.runtime.cache import content_key
from irtool.runtime.cuda.emulator.build import PARTS
from platformdirs import user_cache_path

HERE = Path(__file__).resolve().parent
EMULATOR = HERE.parents[1] / "runtime/cuda/emulator"
PYCUDA = "pycuda==2026.1"
WHEELS = "wheels"
NEEDS = ("pytools", "platformdirs", "siphash24", "mako", "markupsafe", "typing-extensions")
REMOVED = """cuLaunch cuLaunchGrid cuLaunchGridAsync cuParamSetSize cuParamSetTexRef cuParamSetf cuParamSeti cuParamSetv
    cuCtxAttach cuCtxDetach cuFuncSetBlockShape cuFuncSetSharedSize cuProfilerInitialize cuProfilerStart
    cuProfilerStop"""
"""Of the header, but not of the driver, and PyCUDA calls them."""


class CannotBuild(Exception):
    """Why there is no PyCUDA to test with."""


def toolkit() -> Path:
    """The folder of the CUDA toolkit, which nvcc tells; on the PATH may be a script that calls it."""
    if sys.platform != "linux":
        raise CannotBuild("PyCUDA is built on Linux")
    if shutil.which("nvcc") is None:
        raise CannotBuild("PyCUDA needs a CUDA toolkit to be built with, and there is no nvcc on the PATH")
    told = subprocess.run(["nvcc", "--dryrun", "-x", "cu", "/dev/null"], capture_output=True, text=True, check=False)
    found = re.search(r"^#\$ TOP=(.*)$", told.stderr, re.MULTILINE)
    if found is None or not (Path(found[1]) / "include/cuda.h").is_file():
        raise CannotBuild("PyCUDA needs the header cuda.h of a CUDA toolkit, and nvcc knows of none")
    return Path(found[1]).resolve()


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Runs a command, politely. Raises CannotBuild with the end of what it says."""
    done = subprocess.run(
        ["nice", *command], capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise CannotBuild(f"`{' '.join(command)[:200]}` failed: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def entry_points(include: Path) -> list[str]:
    """The functions of the driver, under the names that programs are linked with."""
    names = set(REMOVED.split())
    for define in ([], ["-D__CUDA_API_VERSION_INTERNAL"]):
        text = run(["gcc", "-E", "-P", *define, f"-I{include}", "-x", "c", str(include / "cuda.h")])
        names.update(re.findall(r"\bCUresult\s+(cu\w+)\s*\(", text))
    return sorted(names)


def build_standin(base: Path, include: Path) -> Path:
    """The folder with the stand-in, also under the name that linkers ask for."""
    sources = [*(HERE / f"{name}.cpp" for name in ("device", "stream")), *(EMULATOR / f"{n}.cpp" for n in PARTS)]
    headers = [HERE / "standin.h", EMULATOR / "emulator.h"]
    missing = "".join(f"__attribute__((weak)) int {name}(void) {{ return 801; }}\n" for name in entry_points(include))
    folder = base / f"driver-{content_key(missing, *(path.read_bytes() for path in (*sources, *headers)))[:12]}"
    if not (folder / "libcuda.so").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "missing.c").write_text(missing)
        run(["gcc", "-fPIC", "-c", str(folder / "missing.c"), "-o", str(folder / "missing.o")])
        flags = ["-std=c++17", "-O2", "-fPIC", "-shared", f"-I{EMULATOR}", f"-I{HERE}", "-Wl,-soname,libcuda.so.1"]
        library = str(folder / "libcuda.so.1")
        run(["g++", *flags, "-o", library, *map(str, sources), str(folder / "missing.o"), "-ldl"])
        (folder / "libcuda.so").symlink_to("libcuda.so.1")
    return folder


def build_pycuda(base: Path, driver: Path, root: Path) -> Path:
    """The folder that PyCUDA can be imported from."""
    chosen = os.environ.get("IRTOOL_PYCUDA", PYCUDA)
    site = base / f"site-{content_key(PYCUDA, sys.version, str(root))[:12]}"
    if (site / "pycuda").is_dir():
        return site
    wheels = base / WHEELS
    environment = {
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CUDA_ROOT": str(root),
        "LIBRARY_PATH": str(driver),
        "CFLAGS": "-O1 -g0 -w",
        "CXXFLAGS": "-O1 -g0 -w",
        "LDFLAGS": f"-L{driver} -s",
    }
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    option = "--config-settings=--global-option=--conf:CUDA_ENABLE_CURAND=False"
    shutil.rmtree(wheels, ignore_errors=True)  # of another version of Python, perhaps
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", option, "-w", str(wheels), chosen], environment)
    (wheel,) = wheels.glob("pycuda-*.whl")
    unfinished = base / f"{site.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    run([*pip, "install", "--no-deps", "--target", str(unfinished), str(wheel), *NEEDS])
    unfinished.rename(site)
    return site


def folder() -> Path:
    """Where all of it is kept."""
    return user_cache_path("irtool-tests") / "pycuda"


def build() -> tuple[Path, Path]:
    """The stand-in and the folder of PyCUDA, made or found. Raises CannotBuild."""
    root = toolkit()
    base = folder()
    base.mkdir(parents=True, exist_ok=True)
    with FileLock(base / "lock"):
        driver = build_standin(base, root / "include")
        return driver / "libcuda.so.1", build_pycuda(base, driver, root)


if __name__ == "__main__":
    print(*build(), folder() / WHEELS, sep="\n")
