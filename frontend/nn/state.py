"""A module's state as a flat dictionary of tensors, and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..grad_mode import no_grad
from ..tensor import Tensor
from .parameter import Parameter
from .registry import Registry

EXTRA_STATE = "_extra_state"


class StateDict(OrderedDict[str, Any]):
    """Tensors by dotted name; `_metadata` holds each module's version."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._metadata: OrderedDict[str, dict[str, Any]] = OrderedDict()


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found missing and left over."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


def persistent_tensors(module: Registry) -> dict[str, Tensor]:
    """The parameters and buffers of this module alone that its state consists of."""
    found: dict[str, Tensor] = {k: v for k, v in module._parameters.items() if v is not None}
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent_buffers_set:
            found[name] = buffer
    return found


def save(module: Registry, destination: StateDict, prefix: str, keep_vars: bool) -> None:
    """Writes the state of `module` and of what it contains into `destination`."""
    destination._metadata[prefix[:-1]] = {"version": module._version}
    for hook in tuple(module._state_dict_pre_hooks.values()):
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in tuple(module._state_dict_hooks.values()):
        hook(module, destination, prefix, destination._metadata[prefix[:-1]])


def load(module: Registry, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Copies `state_dict` into `module`. Raises RuntimeError that lists everything that does not fit."""
    if not isinstance(state_dict, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    metadata: Mapping[str, dict[str, Any]] = getattr(state_dict, "_metadata", {})
    state: OrderedDict[str, Any] = OrderedDict(state_dict)
    keys = IncompatibleKeys([], [])
    errors: list[str] = []
    for prefix, part in _parts(module, ""):
        local = dict(metadata.get(prefix[:-1], {}), assign_to_params_buffers=assign)
        part._load_from_state_dict(state, prefix, local, True, keys.missing_keys, keys.unexpected_keys, errors)
    for _, part in reversed(list(_parts(module, ""))):
        for hook in tuple(part._load_state_dict_post_hooks.values()):
            hook(part, keys)
    if strict:
        wrong = {"Missing": keys.missing_keys, "Unexpected": keys.unexpected_keys}
        quoted = {kind: ", ".join(f'"{key}"' for key in found) for kind, found in wrong.items() if found}
        errors[:0] = [f"{kind} key(s) in state_dict: {found}. " for kind, found in quoted.items()]
    if errors:
        lines = "\n\t".join(errors)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{lines}")
    return keys


def load_own(
    module: Registry,
    state: Mapping[str, Any],
    prefix: str,
    local_metadata: Mapping[str, Any],
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """The part of `load` that concerns the tensors of this module alone."""
    own = persistent_tensors(module)
    for name in own:
        key = prefix + name
        if key in state:
            _load_tensor(module, name, key, state[key], bool(local_metadata.get("assign_to_params_buffers")), errors)
        else:
            missing.append(key)
    has_extra = module._overrides("set_extra_state")
    extra_key = prefix + EXTRA_STATE
    if has_extra and extra_key in state:
        module.set_extra_state(state[extra_key])
    elif has_extra:
        missing.append(extra_key)
    for key in state:
        if key.startswith(prefix) and not (has_extra and key == extra_key):
            first, dot, _ = key[len(prefix) :].partition(".")
            if first not in (module._modules if dot else own):
                unexpected.append(key)


def _parts(module: Registry, prefix: str) -> list[tuple[str, Registry]]:
    """Every module with its prefix, shared ones once for each name they have."""
    found = [(prefix, module)]
    for name, child in module._modules.items():
        if child is not None:
            found += _parts(child, f"{prefix}{name}.")
    return found


def _load_tensor(module: Registry, name: str, key: str, value: Any, assign: bool, errors: list[str]) -> None:
    tensor = getattr(module, name)
    if not isinstance(value, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(value)}"
        )
        return
    if value.shape == (1,) and tensor.ndim == 0:
        value = value[0]
    if value.shape != tensor.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {tensor.shape}."
        )
        return
    with no_grad():
        if not assign:
            tensor.copy_(value)
        elif isinstance(tensor, Parameter):
            setattr(module, name, Parameter(value, requires_grad=tensor.requires_grad))
        else:
            setattr(module, name, value)
