"""For all tests: a cache of compiled code that lives as long as the session, unless IRTOOL_CACHE_DIR names one; and
`failing.txt`, the tests of what is not yet as it should be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

VARIABLE = "IRTOOL_CACHE_DIR"


@pytest.fixture
def denormal_mode() -> Iterator[None]:
    """Whatever a test sets about denormals is undone."""
    from irtool.runtime import denormals

    flush, mode = denormals.flush, denormals.set_thread_mode(False)
    yield
    denormals.flush = flush
    if mode is not None:
        denormals.set_thread_mode(mode)


@pytest.fixture
def denormals_kept(denormal_mode: None) -> None:
    """Compiled programs compute with denormals."""
    from irtool.runtime.denormals import set_flush_denormal

    set_flush_denormal(False)


@pytest.fixture
def emulated_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The device is the emulated one. Its programs are evaluated by the reference meanings of their ops, which is fast;
    what the target `cuda-emulated` makes of them, `test_devices_emulated` shows."""
    import irtool
    from irtool.frontend import devices
    from irtool.runtime import emulated_device

    monkeypatch.setenv("IRTOOL_CUDA", "emulated")
    monkeypatch.setattr(emulated_device.EmulatedDriver, "target", "reference")
    monkeypatch.setattr(devices.use, "elsewhere", True)
    yield
    irtool.set_default_device(None)


@pytest.fixture(scope="session", autouse=True)
def private_cache() -> Iterator[None]:
    if VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="irtool-tests-", ignore_cleanup_errors=True) as folder:
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]


class Root:
    """The root folder is the package, but not for pytest: what it is called in a copy need be no name in Python."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == Path(__file__).parents[1] else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Root())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    failing = {line for line in (Path(__file__).parent / "failing.txt").read_text().splitlines() if line}
    for item in items:
        if item.nodeid.removeprefix("tests/") in failing:
            item.add_marker(pytest.mark.xfail(strict=True, reason="listed in failing.txt"))
