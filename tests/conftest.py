"""For all tests: a cache of compiled code that lives as long as the session, unless IRTOOL_CACHE_DIR names one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest

VARIABLE = "IRTOOL_CACHE_DIR"


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
