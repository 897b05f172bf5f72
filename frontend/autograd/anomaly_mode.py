"""Anomaly detection: programs may ask for it, and it has nothing left to do here."""

from __future__ import annotations


class set_detect_anomaly:
    """Accepted, also as a context manager. Errors of backward name the user's line anyway; NaN is not looked for."""

    def __init__(self, mode: bool = True, check_nan: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        return None

    def __exit__(self, *details: object) -> None:
        return None


class detect_anomaly(set_detect_anomaly):
    """The same for the duration of a `with` block."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)


__all__ = ["detect_anomaly", "set_detect_anomaly"]
