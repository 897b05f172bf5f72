"""What PyTorch has and irtool has not: an error that names it, the user's line, and the nearest that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..errors import here

INSTEAD: dict[str, str] = {
    "float16": "use float32; weights in half precision are converted when loaded",
    "bfloat16": "use float32; weights in half precision are converted when loaded",
    "half": "use float()",
    "short": "use int()",
    "char": "use int()",
    "int8": "use int32 or uint8",
    "int16": "use int32",
    "complex64": "keep real and imaginary parts in two tensors",
    "complex": "keep real and imaginary parts in two tensors",
    "polar": "keep real and imaginary parts in two tensors",
    "imag": "keep real and imaginary parts in two tensors",
    "complex128": "keep real and imaginary parts in two tensors",
    "autocast": "leave it out: computation is in float32",
    "amp": "leave it out: computation is in float32",
    "GradScaler": "leave it out: computation is in float32",
    "jit": "use irtool.compile",
    "_dynamo": "use irtool.compile and irtool.compiler; f.explain() says why a function was compiled again",
    "forward_ad": "use irtool.func.jvp",
    "graph": "use utils.checkpoint to keep less between forward and backward",
    "saved_tensors_hooks": "use utils.checkpoint to keep less between forward and backward",
    "fx": "use irtool.compile, and its .ir(stage) to look at programs",
    "onnx": "use irtool.save for weights, and irtool.compile(f).ir(stage) for programs",
    "export": "use irtool.compile, and its .ir(stage) to look at programs",
    "backends": "leave it out; irtool.set_num_threads sets the threads",
    "distributed": "irtool trains on one machine",
    "DataParallel": "use the module itself: compiled programs use all cores",
    "multiprocessing": "use Python's multiprocessing; DataLoader(num_workers=...) loads in parallel",
    "SparseAdam": "use Adam",
    "to_sparse": "use dense tensors",
    "sparse_coo_tensor": "use dense tensors; nn.Embedding gathers rows",
    "resize_": "use reshape, or make a new tensor",
    "modules": "take layers from irtool.nn itself",
    "orthogonal": "use irtool.nn.init.orthogonal_, or parametrize.register_parametrization with a module of your own",
    "share_memory": "leave it out",
    "share_memory_": "leave it out",
    "pin_memory": "leave it out: there is one memory",
    "SyncBatchNorm": "use BatchNorm1d or BatchNorm2d",
    "FractionalMaxPool2d": "use MaxPool2d or AdaptiveMaxPool2d",
    "as_strided": "use slices, reshape, transpose, expand, diagonal and unfold, which give views",
    "untyped_storage": "data_ptr() tells where the elements lie",
    "storage": "data_ptr() tells where the elements lie",
    "fft": "write the transform as a matmul with a fixed matrix",
    "stft": "write the transform as a conv1d with fixed filters",
    "svd": "use linalg.svd, in eager code",
    "qr": "use linalg.qr, in eager code",
    "lstsq": "use linalg.pinv(A) @ B, in eager code",
    "set_float32_matmul_precision": "leave it out: products are in float32",
    "use_deterministic_algorithms": "leave it out: results are always the same bits",
}
"""The nearest supported way, for names that programs use."""


class Unsupported(AttributeError):
    """A name that irtool does not have. Its message is made when read: many only ask whether a name is there."""

    def __init__(self, owner: str, attribute: str, known: Callable[[], Iterable[str]]) -> None:
        super().__init__(owner, attribute)
        self._owner = owner
        self._attribute = attribute
        self._known = known
        self._where = here()

    def __str__(self) -> str:
        hint = INSTEAD.get(self._attribute)
        if hint is None:
            names = [name for name in self._known() if not name.startswith("_")]
            import difflib

            close = difflib.get_close_matches(self._attribute, names, n=3, cutoff=0.6)
            hint = f"the nearest there is: {', '.join(close)}" if close else "write it with the operations there are"
        where = f" (at {self._where})" if self._where else ""
        return (
            f"{self._owner} has no attribute '{self._attribute}'; if PyTorch has it, irtool does not support it (yet): "
            f"{hint}{where}"
        )


def module_getattr(module: str, names: Callable[[], Iterable[str]]) -> Callable[[str], Any]:
    """A module's `__getattr__`."""

    def getter(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        raise Unsupported(f"module '{module}'", name, names)

    return getter


def tensor_getattr(self: Any, name: str) -> Any:
    """`Tensor.__getattr__`, which is asked for what a tensor does not have."""
    if name.startswith("_"):
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
    kind: type = self.__class__
    raise Unsupported(f"'{kind.__name__}' object", name, lambda: dir(kind))


__all__ = ["INSTEAD", "Unsupported", "module_getattr", "tensor_getattr"]
