"""What a run on a GPU found: a JSON file, written anew after each section, so that a run that is cut short leaves
what it has."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SECONDS = 480
"""What a whole run may take, unless GPU_SECONDS says otherwise."""


class Report:
    """The sections of one run."""

    def __init__(self, kind: str, folder: Path = RESULTS) -> None:
        self.end = time.monotonic() + float(os.environ.get("GPU_SECONDS", SECONDS))
        self.found: dict[str, Any] = {"kind": kind, "date": time.strftime("%Y-%m-%d"), **surroundings()}
        device = "".join(c if c.isalnum() else "-" for c in self.found["device"]["name"].lower())
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{kind}-{device}-{self.found['date']}.json"

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def section(self, name: str, run: Callable[[], Any]) -> Any:
        """Adds what `run` returns, or why it fails."""
        started = time.monotonic()
        if self.left < 5:
            result: Any = {"skipped": "no time left"}
        else:
            try:
                result = run()
            except Exception as error:
                last = traceback.format_exc().splitlines()[-12:]
                result = {"failed": f"{type(error).__name__}: {error}", "traceback": last}
        self.found.setdefault("sections", {})[name] = result
        print(f"{name:24} {time.monotonic() - started:6.1f} s  {json.dumps(result)[:300]}", flush=True)
        self.path.write_text(json.dumps(self.found, indent=1) + "\n")
        return result

    def failures(self) -> list[str]:
        """The sections that did not do what they should."""
        sections: dict[str, Any] = self.found.get("sections", {})
        return [name for name, result in sections.items() if result.get("failed")]


def surroundings() -> dict[str, Any]:
    """The device, and versions of all that has a part in the numbers."""
    from irtool.runtime.cuda.compiler import find_cuda_compiler
    from irtool.runtime.cuda.driver import open_device

    device, compiler = open_device(), find_cuda_compiler()
    packages = ("numpy", "xdsl", "pycuda", "nvidia-cuda-nvrtc", "torch")
    return {
        "device": {
            "name": device.name,
            "capability": list(device.capability),
            "multiprocessors": device.multiprocessors,
            "memory": device.total_memory,
        },
        "versions": {
            "irtool": _commit(),
            "driver": device.driver_version,
            "compiler": f"{compiler.name} {compiler.version}",
            "python": platform.python_version(),
            **{name: found for name in packages if (found := _version(name))},
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return told.stdout.strip() or version("irtool")


def in_process(*arguments: str, seconds: float) -> dict[str, Any]:
    """What another process of this program prints, as JSON; it has so many seconds."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.gpu", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=max(seconds, 1),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"skipped": f"took more than {seconds:.0f} s"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-6:]}
    return json.loads(done.stdout.splitlines()[-1])
