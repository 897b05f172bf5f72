"""save and load: nested dictionaries, lists and tuples of tensors and plain values, as one safetensors file.

Tensors are stored under their dotted path, so that others read the state of a module as they read any weights. What is
not a tensor is JSON in the file's metadata. Nothing is pickled: loading a file runs no code.

    {"model": model.state_dict(), "epoch": 3}  ->  tensors  model.0.weight, model.0.bias
                                                   metadata {"dict": [["model", {"dict": [...]}], ["epoch", 3]]}
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..runtime.files import write_atomically
from .creation import from_array
from .devices import CPU, device, is_available, place
from .eager import on_host
from .errors import located, runtime_error, type_error
from .modes import modes
from .ops.movement import moved
from .tensor import Tensor
from .tracing.deferred import defer

STRUCTURE = "irtool"
"""The metadata entry with all that is not a tensor."""
DEVICES = "irtool.devices"
"""The metadata entry with the devices of those that are not on the CPU."""

READ: dict[str, tuple[str, str]] = {
    "F64": ("<f8", "<f8"),
    "F32": ("<f4", "<f4"),
    "F16": ("<f2", "<f4"),
    "I64": ("<i8", "<i8"),
    "I32": ("<i4", "<i4"),
    "I16": ("<i2", "<i4"),
    "I8": ("i1", "<i4"),
    "U16": ("<u2", "<i4"),
    "U8": ("u1", "u1"),
    "BOOL": ("?", "?"),
}
"""The element types of a file in numpy, and as what they are loaded. BF16 is not in numpy; it becomes F32."""

CONVERT = (
    "convert it once, in PyTorch:  import torch, safetensors.torch;  "
    "safetensors.torch.save_file(torch.load({name!r}, weights_only=True, map_location='cpu'), 'weights.safetensors')"
)

ZIP = b"PK\x03\x04"
OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (ZIP, "a zip archive, as torch.save writes it: a pickle, whose loading could run any code", CONVERT),
    (b"\x80", "a pickle, whose loading could run any code", CONVERT),
    (b"\x93NUMPY", "a numpy array", "use irtool.from_numpy(numpy.load({name!r}))"),
    (b"\x89HDF", "an HDF5 file", "read it with h5py, and make tensors with irtool.from_numpy"),
    (b"GGUF", "a GGUF file", "irtool reads .safetensors files"),
)
"""Formats by their first bytes: what they are, and what to do."""


def save(obj: Any, f: Any, **ignored: Any) -> None:
    """Writes `obj` to a path or an open binary file: tensors and plain values, in dictionaries, lists and tuples."""
    for name in ignored:
        if name not in ("pickle_module", "pickle_protocol", "_use_new_zipfile_serialization"):
            raise type_error(f"save() got an unexpected keyword argument '{name}'")
    if modes.trace is not None:
        defer(modes.trace, save, (obj, f), {})
        return
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    metadata = {"format": "pt"}
    elsewhere: dict[str, str] = {}
    if isinstance(obj, dict) and _is_flat(cast("dict[Any, Any]", obj)):
        flat = cast("dict[str, Tensor]", obj)
        tensors = {name: _array(t) for name, t in flat.items()}
        elsewhere = {name: str(t.device) for name, t in flat.items() if t.device is not CPU}
    else:
        metadata[STRUCTURE] = json.dumps(_encoded(obj, "", tensors, {}, elsewhere))
    if elsewhere:
        metadata[DEVICES] = json.dumps(elsewhere)
    from safetensors.numpy import save as serialized

    data = serialized(tensors, metadata)
    if hasattr(f, "write"):
        f.write(data)
    else:
        write_atomically(Path(f), data)


def load(f: Any, map_location: Any = None, **ignored: Any) -> Any:
    """What `save` wrote to a path or an open binary file, or the tensors by name of any .safetensors file.

    Tensors are where they were, or where `map_location` says: a device, a dictionary from one to another, or a function
    of a tensor on the CPU and the name of its device. float16 and bfloat16 become float32, and small integers int32.
    Other formats are refused.
    """
    for name in ignored:
        if name not in ("weights_only", "mmap", "pickle_module"):
            raise type_error(f"load() got an unexpected keyword argument '{name}'")
    if isinstance(map_location, str | device):
        place(map_location)
    name = str(getattr(f, "name", "the file") if hasattr(f, "read") else f)
    data: bytes = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    tensors, metadata = _read(name, data)
    tensors = _placed(tensors, json.loads(metadata.get(DEVICES, "{}")), map_location)
    if STRUCTURE not in metadata:
        return tensors | _tied(tensors, metadata)
    try:
        return _decoded(json.loads(metadata[STRUCTURE]), tensors)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise located(ValueError, f"{name}: the description of what is not a tensor is damaged: {error!r}") from None


# Writing


def _is_flat(obj: dict[Any, Any]) -> bool:
    return bool(obj) and all(type(k) is str and isinstance(v, Tensor) for k, v in obj.items())


def _array(t: Tensor) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(on_host(t)).reshape(t._spec.shape)


def _encoded(
    value: Any,
    path: str,
    tensors: dict[str, np.ndarray[Any, Any]],
    known: dict[int, str],
    elsewhere: dict[str, str],
) -> Any:
    """A value as JSON; tensors join `tensors`, each once, and those that are not on the CPU `elsewhere`."""
    kind = cast(Any, type(value))
    if value is None or kind in (bool, int, str):
        return value
    if isinstance(value, (float, np.floating)):
        number = float(cast(Any, value))
        return number if math.isfinite(number) else {"float": repr(number)}
    if isinstance(value, np.integer):
        return int(cast(Any, value))
    if isinstance(value, (Tensor, np.ndarray)):
        name = known.get(id(cast(Any, value)))
        if name is None:
            name = known[id(cast(Any, value))] = _free(path or "value", tensors)
            tensors[name] = _array(value) if isinstance(value, Tensor) else np.asarray(cast(Any, value), order="C")
            if isinstance(value, Tensor) and value.device is not CPU:
                elsewhere[name] = str(value.device)
        return {"tensor": name}
    if isinstance(value, dict):
        form = "ordered" if issubclass(kind, OrderedDict) else "dict"
        items = cast("dict[Any, Any]", value).items()
        return {form: [[_key(k, path), _encoded(v, _joined(path, k), tensors, known, elsewhere)] for k, v in items]}
    if isinstance(value, (list, tuple)):
        form = "list" if isinstance(value, list) else "tuple"
        members = cast("Sequence[Any]", value)
        return {form: [_encoded(v, _joined(path, i), tensors, known, elsewhere) for i, v in enumerate(members)]}
    hint = "save its state_dict() instead" if hasattr(kind, "state_dict") else "save plain values instead"
    raise type_error(
        f"irtool.save: {path or 'the object'} is a {kind.__name__}; only tensors, numbers, strings, None, and "
        f"dictionaries, lists and tuples of these can be saved, since nothing is pickled; {hint}"
    )


def _joined(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _key(key: Any, path: str) -> Any:
    if key is None or type(key) in (bool, int, str, float):
        return key
    if isinstance(key, tuple):
        return {"tuple": [_key(k, path) for k in cast("tuple[Any, ...]", key)]}
    raise type_error(
        f"irtool.save: a key of {path or 'the dictionary'} is a {type(key).__name__}; use strings or numbers"
    )


def _free(name: str, taken: Mapping[str, Any]) -> str:
    number, found = 1, name
    while found in taken or found == "__metadata__":
        number += 1
        found = f"{name}#{number}"
    return found


# Reading


def _read(name: str, data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    import safetensors

    try:
        deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = cast(Any, safetensors).deserialize
        entries = deserialize(data)
        size = int.from_bytes(data[:8], "little")
        metadata: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except Exception as error:
        raise located(ValueError, _not_ours(name, data, error)) from None
    return {key: _tensor(name, key, entry) for key, entry in entries}, metadata


def _placed(tensors: dict[str, Tensor], elsewhere: Mapping[str, str], location: Any) -> dict[str, Tensor]:
    """The tensors where they were, or where `map_location` says."""
    if location is None and not elsewhere:
        return tensors
    if location is None and not is_available():
        raise runtime_error(
            "Attempting to deserialize object on a CUDA device but irtool.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use irtool.load with map_location=irtool.device('cpu') to map your "
            "storages to the CPU."
        )
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        was = elsewhere.get(name, "cpu")
        if callable(cast(Any, location)):
            given = cast(Any, location)(tensor, was)
            found[name] = given if isinstance(given, Tensor) else moved(tensor, place(was))
        elif isinstance(location, Mapping):
            found[name] = moved(tensor, place(cast("Mapping[Any, Any]", location).get(was, was)))
        else:
            found[name] = moved(tensor, place(was if location is None else location))
    return found


def _tied(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Tensor]:
    """Further names of tensors, as safetensors.torch.save_model notes them: a tied weight is in the file once."""
    return {name: tensors[kept] for name, kept in metadata.items() if kept in tensors and name not in tensors}


def _not_ours(name: str, data: bytes, error: Exception) -> str:
    for magic, what, hint in OTHERS:
        if data.startswith(magic):
            if magic == ZIP and b".npy" in data[:200]:
                what, hint = "an .npz archive of numpy arrays", "use numpy.load({name!r}) and irtool.from_numpy"
            return f"{name} is {what}. irtool.load reads safetensors only; {hint.format(name=name)}"
    return f"{name} is not a safetensors file, or a damaged one: {error}"


def _tensor(name: str, key: str, entry: Mapping[str, Any]) -> Tensor:
    kind: str = entry["dtype"]
    if kind == "BF16":
        halves = np.frombuffer(entry["data"], "<u2").astype("<u4")
        array = (halves << 16).view("<f4")
    elif kind in READ:
        stored, loaded = READ[kind]
        array = np.frombuffer(entry["data"], stored).astype(loaded)
    else:
        raise located(ValueError, f"{name}: tensor '{key}' is of type {kind}; irtool reads {', '.join(READ)} and BF16")
    return from_array(array.reshape(entry["shape"]), CPU)


def _decoded(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = cast("dict[str, Any]", value).items()
    return DECODE[kind](content, tensors)


def _pairs(content: Any, tensors: Mapping[str, Tensor]) -> list[tuple[Any, Any]]:
    return [(_decoded(k, tensors), _decoded(v, tensors)) for k, v in content]


DECODE: dict[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    "tensor": lambda name, tensors: tensors[name],
    "float": lambda text, tensors: float(text),
    "list": lambda members, tensors: [_decoded(v, tensors) for v in members],
    "tuple": lambda members, tensors: tuple(_decoded(v, tensors) for v in members),
    "dict": lambda pairs, tensors: dict(_pairs(pairs, tensors)),
    "ordered": lambda pairs, tensors: OrderedDict(_pairs(pairs, tensors)),
}
"""The values that JSON has no form for, by kind."""

__all__ = ["load", "save"]
