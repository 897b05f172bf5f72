"""Where memory is: on the CPU, or on another device by its name."""

from __future__ import annotations

KINDS = ("cpu", "cuda", "meta", "mps")


class device:
    """A device by type and index: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`."""

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: str | device | int, index: int | None = None) -> None:
        name = type.type if isinstance(type, device) else "cuda" if isinstance(type, int) else type
        if isinstance(type, device):
            index = type.index
        elif isinstance(type, int):
            index = type
        elif ":" in name:
            name, _, number = name.partition(":")
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if name not in KINDS:
            raise RuntimeError(f"Expected one of {', '.join(KINDS)} device type at start of device string: {name}")
        self.type = name
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (f", index={self.index})" if self.index is not None else ")")

    def __reduce__(self) -> tuple[object, ...]:
        return (device, (self.type, self.index))


CPU = device("cpu")
