"""The argument `out`: the result is computed as ever, then written into the tensor given, which is resized to fit.

torch.add(x, y, out=z)                    z has the sum
torch.max(x, 1, out=(values, indices))    one tensor a result
"""

from __future__ import annotations

from typing import Any, cast

from .. import changes
from ..errors import TYPE_NAMES, runtime_error, type_error
from ..modes import modes
from ..promotion import can_cast
from ..tensor import Tensor
from ..writes import write


def into(out: Any, result: Any, name: str) -> Any:
    """`out` with the values of `result`: a tensor, or a tuple of tensors for a tuple."""
    if isinstance(result, tuple):
        results = cast("tuple[Any, ...]", result)
        if not isinstance(out, tuple | list) or len(cast(Any, out)) != len(results):
            raise type_error(f"{name}(): argument 'out' must be {len(results)} Tensors")
        for target, value in zip(cast("tuple[Any, ...]", out), results, strict=True):
            _store(target, value, name)
        return type(cast(Any, result))(*out) if hasattr(cast(Any, result), "_fields") else tuple(cast(Any, out))
    _store(out, result, name)
    return out


def _store(out: Any, result: Tensor, name: str) -> None:
    if not isinstance(out, Tensor):
        raise type_error(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if modes.grad and (result.requires_grad or out.requires_grad):
        raise runtime_error(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    spec = result._spec
    if not can_cast(spec.dtype, out._spec.dtype):
        names = [TYPE_NAMES[d] for d in (spec.dtype, out._spec.dtype)]
        raise runtime_error(f"result type {names[0]} can't be cast to the desired output type {names[1]}")
    if spec.shape != out._spec.shape:
        _resize(out, spec.shape)
    write(out, result if spec.dtype is out._spec.dtype else cast(Any, result).to(out._spec.dtype))


def _resize(out: Tensor, shape: tuple[int, ...]) -> None:
    """New memory of another shape; views of the old memory stay with that."""
    from ..creation import empty

    if modes.trace is not None and out._storage.array is not None:
        raise runtime_error(
            f"out= would have to be resized from {list(out._spec.shape)} to {list(shape)}, which a compiled function "
            "cannot do to a tensor from outside: give it the shape of the result"
        )
    fresh = empty(shape, dtype=out._spec.dtype)
    out._storage, out._spec, out._view = fresh._storage, fresh._spec, fresh._view
    out._base = None
    changes.bump()


__all__ = ["into"]
