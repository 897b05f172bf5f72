"""The argument `out`: the result is computed as ever, then written into the tensor given, which is resized to fit.

torch.add(x, y, out=z)                    z has the sum
torch.max(x, 1, out=(values, indices))    one tensor a result
"""

from __future__ import annotations

from typing import Any, cast

from ...dialects.types import u8
from .. import mutations
from ..errors import TYPE_NAMES, refused, runtime_error, type_error
from ..modes import modes
from ..promotion import can_cast
from ..tensor import Tensor
from ..writes import write

EXACT = frozenset(
    (
        *("mm", "matmul", "mv", "bmm", "dot", "vdot", "addmm", "addmv", "baddbmm", "addbmm", "inner"),
        *("tensordot", "chain_matmul", "index_select", "gather", "take", "take_along_dim", "masked_select"),
        *("nonzero", "sort", "msort", "topk", "kthvalue", "median", "nanmedian", "mode", "max", "min", "amax"),
        *("amin", "aminmax", "argmax", "argmin", "norm", "logcumsumexp", "cummax", "cummin", "softmax"),
        *("log_softmax", "quantile", "nanquantile", "histc", "tril", "triu", "diag", "where", "clamp"),
        *("clamp_max", "clamp_min", "clip", "cross", "renorm", "float_power", "heaviside", "nan_to_num", "round"),
        *("frac", "sign", "sgn", "neg", "negative", "abs", "absolute", "isneginf", "isposinf", "signbit"),
        *("bitwise_not", "isin", "scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy"),
        *("index_reduce", "multinomial", "searchsorted", "bucketize", "inverse", "matrix_power", "conj_physical"),
        *("narrow_copy", "slogdet", "ceil", "floor", "trunc", "fix"),
    )
)
"""Functions whose results are written to tensors of their own element type alone; those of others are converted."""
TRUTHS = frozenset(("all", "any"))
"""Functions whose results may become uint8 and nothing else."""


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
    exact = name in EXACT or (name in TRUTHS and out._spec.dtype is not u8)
    if exact and spec.dtype is not out._spec.dtype:
        kinds = [TYPE_NAMES[d].lower() for d in (spec.dtype, out._spec.dtype)]
        raise runtime_error(f"{name}(): Expected out tensor to have dtype {kinds[0]}, but got {kinds[1]} instead")
    if not can_cast(spec.dtype, out._spec.dtype):
        names = [TYPE_NAMES[d] for d in (spec.dtype, out._spec.dtype)]
        raise runtime_error(f"result type {names[0]} can't be cast to the desired output type {names[1]}")
    if spec.shape != out._spec.shape:
        _resize(out, spec.shape)
    write(out, result if spec.dtype is out._spec.dtype else cast(Any, result).to(out._spec.dtype))


def _resize(out: Tensor, shape: tuple[int, ...]) -> None:
    """New memory of another shape; views of the old memory stay with that."""
    from ..creation import empty

    if modes.trace is not None and not out._storage.symbolic:
        raise refused(
            f"out= would have to be resized from {list(out._spec.shape)} to {list(shape)}, which a compiled function "
            "cannot do to a tensor from outside: give it the shape of the result"
        )
    fresh = empty(shape, dtype=out._spec.dtype)
    out._storage, out._spec, out._view = fresh._storage, fresh._spec, fresh._view
    out._base = None
    mutations.bump()


__all__ = ["into"]
