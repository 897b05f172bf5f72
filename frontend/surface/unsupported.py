"""What PyTorch has and irtool has not: an error that names it, the user's line, and the nearest that there is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from ..errors import here

PACKAGE = __name__.partition(".")[0]

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
    "jit": "use irtool.compile",
    "_dynamo": "use irtool.compile and irtool.compiler; f.explain() says why a function was compiled again",
    "forward_ad": "use irtool.func.jvp",
    "graph": "use utils.checkpoint to keep less between forward and backward",
    "saved_tensors_hooks": "use utils.checkpoint to keep less between forward and backward",
    "fx": "use irtool.compile, and its .ir(stage) to look at programs",
    "onnx": "use irtool.save for weights, and irtool.compile(f).ir(stage) for programs",
    "export": "use irtool.compile, and its .ir(stage) to look at programs",
    "distributed": "irtool trains on one machine",
    "DataParallel": "use the module itself: compiled programs use all cores",
    "multiprocessing": "use Python's multiprocessing; DataLoader(num_workers=...) loads in parallel",
    "SparseAdam": "use Adam",
    "to_sparse": "use dense tensors",
    "sparse_coo_tensor": "use dense tensors; nn.Embedding gathers rows",
    "resize_": "use reshape, or make a new tensor",
    "orthogonal": "use irtool.nn.init.orthogonal_, or parametrize.register_parametrization with a module of your own",
    "share_memory": "leave it out",
    "share_memory_": "leave it out",
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
    "view_as_complex": "keep real and imaginary parts in two tensors",
    "view_as_real": "keep real and imaginary parts in two tensors",
    "nested": "use nn.utils.rnn.pad_sequence and a mask",
    "masked": "use torch.where, masked_fill or a product with the mask",
    "quantization": "compute in float32",
    "ao": "compute in float32",
    "quantized": "compute in float32",
    "quantize_per_tensor": "compute in float32",
    "hub": "build the model, and load its weights from .safetensors with irtool.load",
    "model_zoo": "build the model, and load its weights from .safetensors with irtool.load",
    "profiler": "irtool.compile(f).profile(...) gives the time by kernel and by line",
    "tensorboard": "write float(loss) with a logger of your choice",
    "mps": "leave it out: computation is on the CPU",
    "xpu": "leave it out: computation is on the CPU",
    "mtia": "leave it out: computation is on the CPU",
    "accelerator": "leave it out: computation is on the CPU",
    "parallel": "use the module itself: compiled programs use all cores",
    "Muon": "use AdamW, or write it as a function of parameters and gradients under no_grad",
    "binomial": "sum bernoulli draws, or draw with numpy in eager code",
    "histogram": "use histc",
    "eig": "use linalg.eigh, for symmetric matrices",
    "eigvals": "use linalg.eigvalsh, for symmetric matrices",
    "triangular_solve": "use linalg.solve",
    "lu": "use linalg.solve, linalg.inv or linalg.det",
    "lu_solve": "use linalg.solve",
    "lu_factor": "use linalg.solve",
    "matrix_exp": "sum its series with matmul",
    "LinAlgError": "singular matrices raise RuntimeError",
    "OutOfMemoryError": "Python raises MemoryError",
    "library": "write autograd.Function for an operation with a gradient of its own",
    "cond": "use torch.where to choose between values, or a Python if outside the compiled function",
    "apply_": "write it with the operations there are, which work on whole tensors",
    "map_": "write it with the operations there are, which work on whole tensors",
}
"""The nearest supported way, for names that programs use."""

BY_OWNER: dict[str, str] = {
    "module 'irtool.cuda'": "ask cuda.is_available() first: where it is False, computation is on the CPU",
    "module 'irtool.distributions'": "write its log_prob and samples with the operations there are",
}
"""For whole modules."""

NAMESPACES = ("nn.functional", "nn", "", "Tensor", "linalg", "special", "nn.init", "nn.utils", "optim", "func")
"""Where a name is looked for that is not where it was asked for."""


class Unsupported(AttributeError):
    """A name that irtool does not have. Its message is made when read: many only ask whether a name is there."""

    def __init__(self, owner: str, attribute: str, known: Callable[[], Iterable[str]]) -> None:
        super().__init__(owner, attribute)
        self._owner = owner
        self._attribute = attribute
        self._known = known
        self._where = here()

    def __str__(self) -> str:
        name = self._attribute
        hint = INSTEAD.get(name) or BY_OWNER.get(self._owner)
        if hint is None:
            names = [other for other in self._known() if not other.startswith("_")]
            close = _elsewhere(name) or _alike(name, names)
            hint = f"the nearest there is: {', '.join(close)}" if close else "write it with the operations there are"
        where = f" (at {self._where})" if self._where else ""
        return (
            f"{self._owner} has no attribute '{self._attribute}'; if PyTorch has it, irtool does not support it (yet): "
            f"{hint}{where}"
        )


def _alike(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that are spelt alike, or share a word."""
    import difflib

    def likeness(other: str) -> float:
        ratio = difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio()
        return ratio if ratio > 0.75 or (ratio > 0.5 and _words(name) & _words(other)) else 0.0

    found = sorted(((likeness(other), other) for other in names), reverse=True)
    return [other for ratio, other in found[:3] if ratio]


def _words(name: str) -> set[str]:
    """The longer words of my_name or MyName."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name) if len(word) > 3}


def _elsewhere(name: str) -> list[str]:
    """The place of a name in another namespace, the underscore of in-place functions aside."""
    package = sys.modules[PACKAGE]
    for space in NAMESPACES:
        holder = vars(attrgetter(space)(package) if space else package)
        for alias in (name, f"{name}_", name.removesuffix("_")):
            if callable(holder.get(alias)):
                return [".".join(filter(None, (PACKAGE, space, alias)))]
    return []


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
