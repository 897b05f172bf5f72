"""`with` in compiled functions: managers of users and of Python's library."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from unittest import mock

import irtool

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


def test_context_managers_that_users_write_as_generators():
    """Code of the user, traced as other code is; what suppresses exceptions changes nothing."""
    state, log = {"depth": 0}, []

    @contextlib.contextmanager
    def deeper(by):
        state["depth"] += by
        try:
            yield state["depth"]
        finally:
            log.append(state["depth"])

    def step(x):
        with contextlib.suppress(KeyError), deeper(1) as outer, deeper(2):
            x = x * outer
            raise KeyError
        return x

    f = compiled(step)
    assert [f(irtool.ones(())).item() for _ in range(4)] == [1.0, 4.0, 7.0, 10.0]
    assert state == {"depth": 12} and log == [3, 3, 6, 6, 9, 9, 12, 12]
    assert 0 < len(f.programs()) <= 2


def test_functions_that_foreign_functions_have_as_attributes():
    class Settings:
        scale = 2.0

    def step(x):
        with mock.patch.object(Settings, "scale", 5.0):
            return x * Settings.scale

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert compiled(step)(irtool.ones(())).item() == 5.0 and Settings.scale == 2.0
    assert "run uncompiled" in str(found[0].message)
