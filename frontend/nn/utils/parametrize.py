"""Parameters that are functions of others: torch.nn.utils.parametrize."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from ...grad_mode import no_grad
from ...tensor import Tensor
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter
from .computed import compute, forget

_cache: dict[tuple[int, str], Tensor] | None = None


@contextmanager
def cached() -> Generator[None]:
    """Within it, a parametrized tensor is computed once."""
    global _cache
    before = _cache
    _cache = {} if before is None else before
    try:
        yield
    finally:
        _cache = before


class ParametrizationList(ModuleList):
    """The functions that a tensor goes through, and what the first of them is applied to: `original`, or several
    tensors `original0`, `original1`, ..., as the `right_inverse` of the functions says."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        value = self._inverse(original)
        self.is_tensor = isinstance(value, Tensor)
        self.ntensors = 1 if isinstance(value, Tensor) else len(value)
        trained = isinstance(original, Parameter)
        for name, tensor in self._named(value):
            if trained:
                self.register_parameter(name, Parameter(tensor.detach(), requires_grad=original.requires_grad))
            else:
                self.register_buffer(name, tensor)

    def _named(self, value: Tensor | Sequence[Tensor]) -> list[tuple[str, Tensor]]:
        if isinstance(value, Tensor):
            return [("original", value)]
        return [(f"original{k}", tensor) for k, tensor in enumerate(value)]

    def _inverse(self, value: Tensor) -> Tensor | Sequence[Tensor]:
        found: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    found = module.right_inverse(found)
        return cast("Tensor | Sequence[Tensor]", found)

    def right_inverse(self, value: Tensor) -> None:
        """Changes what is stored, so that the parametrized tensor becomes `value`."""
        with no_grad():
            for name, tensor in self._named(self._inverse(value)):
                getattr(self, name).copy_(tensor)

    def originals(self) -> list[Tensor]:
        """What the first function is applied to."""
        names = ["original"] if self.is_tensor else [f"original{k}" for k in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    def forward(self) -> Tensor:
        first, *others = list(self)
        value: Tensor = first(*self.originals())
        for module in others:
            value = module(value)
        return value


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """From now on `module.tensor_name` is `parametrization(original)`, computed when it is read.

    The original is the tensor of before, or what `parametrization.right_inverse` makes of it. Assigning to the
    attribute goes through `right_inverse` too. Unless `unsafe`, shape and dtype must stay.
    """
    if is_parametrized(module, tensor_name):
        listed: ParametrizationList = module.parametrizations[tensor_name]
        if not unsafe:
            _check(getattr(module, tensor_name), parametrization, tensor_name)
        listed.append(parametrization)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
                         f"'{tensor_name}'")  # fmt: skip
    listed = ParametrizationList([parametrization], original, unsafe)
    if not unsafe:
        found = listed()
        if found.shape != original.shape or found.dtype is not original.dtype:
            raise ValueError(_changed(tensor_name, original, found))
    delattr(module, tensor_name)
    if "parametrizations" not in module._modules:
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = listed

    def getter(self: Any) -> Tensor:
        if _cache is None:
            return self.parametrizations[tensor_name]()
        key = (id(self), tensor_name)
        if key not in _cache:
            _cache[key] = self.parametrizations[tensor_name]()
        return _cache[key]

    def setter(self: Any, value: Tensor) -> None:
        self.parametrizations[tensor_name].right_inverse(value)

    compute(module, tensor_name, getter, setter, "Parametrized")
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the tensor (or any) of the module is parametrized."""
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes the tensor an ordinary parameter again: with its value now, or with what the original holds."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    listed: ParametrizationList = module.parametrizations[tensor_name]
    if not leave_parametrized and not listed.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    original = listed.originals()[0]
    with no_grad():
        value = (listed() if leave_parametrized else original).detach().clone()
    forget(module, tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, Parameter(value, requires_grad=original.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    return module


def _check(value: Tensor, parametrization: Module, name: str) -> None:
    with no_grad():
        found = parametrization(value)
    if found.shape != value.shape or found.dtype is not value.dtype:
        raise ValueError(_changed(name, value, found))


def _changed(name: str, before: Tensor, after: Tensor) -> str:
    return (
        f"Registering a parametrization may not change the shape or dtype of the tensor, unless `unsafe` flag is "
        f"enabled.\n{name} had shape {tuple(before.shape)} and dtype {before.dtype}, and would have shape "
        f"{tuple(after.shape)} and dtype {after.dtype}"
    )
