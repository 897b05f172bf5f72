"""nn.Module: a tree of modules with parameters, buffers, modes, hooks and a printed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

from ...dialects.types import DType
from .. import mutations
from ..grad_mode import no_grad
from ..handles import RemovableHandle
from ..modes import modes
from ..tensor import Tensor
from ..used_up import zero_grad
from . import state
from .global_hooks import (
    register_module_backward_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from .hooks import call_with_hooks, has_hooks
from .parameter import Parameter
from .registry import ForwardHook, Registry

M = TypeVar("M")

COMPILED = "_compiled_call"
"""Where a module keeps what `compile` made; copies do not have it."""


class Module(Registry):
    """Base of all layers and models: assign parameters and modules as attributes, and write `forward`."""

    _version: int = 1
    _compile_call: ClassVar[Callable[..., Any]]
    """`irtool.compile`, which `compiler` installs."""

    # Running

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Subclasses define it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        compiled = self.__dict__.get(COMPILED)
        if compiled is not None and modes.trace is None:
            return compiled(*args, **kwargs)
        return self._call_impl(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if has_hooks(self):
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Makes calls of this module run compiled; the arguments are those of `irtool.compile`."""
        self.__dict__[COMPILED] = self._compile_call(self._call_impl, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != COMPILED}

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after forward; what it returns, unless None, replaces the output."""
        return RemovableHandle(self._forward_hooks, ForwardHook(hook, with_kwargs, always_call), prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before forward; what it returns, unless None, replaces the arguments."""
        return RemovableHandle(self._forward_pre_hooks, ForwardHook(hook, with_kwargs), prepend=prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the positional arguments are there; what
        it returns, unless None, replaces them."""
        return RemovableHandle(self._backward_hooks, hook, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_output)` when the gradients of the output are there; what it returns, unless None,
        replaces them."""
        return RemovableHandle(self._backward_pre_hooks, hook, prepend=prepend)

    register_backward_hook = register_full_backward_hook

    # Walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names; a shared one once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it; a shared one once."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names."""
        return _once(self._modules.items())

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names; a shared one once, under its first name."""
        return _once(self._named_members(lambda m: m._parameters, prefix, recurse, remove_duplicate), remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters; a shared one once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names; a shared one once."""
        return _once(self._named_members(lambda m: m._buffers, prefix, recurse, remove_duplicate), remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers; a shared one once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_members(
        self, members: Callable[[Module], Mapping[str, M | None]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, M | None]]:
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in members(module).items():
                yield f"{path}.{name}" if path else name, member

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; this one for ""."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts another module at a dotted path; with `strict`, only in place of one."""
        path, _, name = target.rpartition(".")
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._get_member(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._get_member(target, "_buffers", "a buffer")

    def _get_member(self, target: str, table: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[table]:
            raise AttributeError(f"`{name}` is not {kind}")
        return getattr(module, name)

    # Modes and conversions

    def train(self, mode: bool = True) -> Self:
        """Training mode on (or off) for this module and all below it: dropout drops, batch norm keeps statistics."""
        if not isinstance(mode, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Sets `requires_grad` of all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of all parameters, or fills them with zeros."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Calls `fn` on every module below this one, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, convert: Callable[[Tensor], Tensor]) -> Self:
        """Converts every parameter (with its gradient) and buffer in place; the Parameter objects stay."""
        for child in self.children():
            child._apply(convert)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            with no_grad():
                gradient = parameter.grad
                parameter.data = convert(parameter.data)
                if gradient is not None:
                    parameter.grad = convert(gradient)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = convert(buffer)
        mutations.bump()
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Moves or casts: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`; casts floating point only."""
        dtype = kwargs.get("dtype") or next((a for a in args if isinstance(a, DType)), None)
        if dtype is not None and dtype.kind != "float":
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        kwargs.pop("memory_format", None)
        keep = {k: v for k, v in kwargs.items() if k != "dtype"}
        moves = [a.device if isinstance(a, Tensor) else a for a in args if not isinstance(a, DType)]

        def convert(tensor: Tensor) -> Tensor:
            if tensor.is_floating_point():
                return tensor.to(*args, **kwargs)
            return tensor.to(*moves, **keep) if moves or keep.get("device") is not None else tensor

        return self._apply(convert)

    def float(self) -> Self:
        """Casts floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Casts floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def type(self, dst_type: Any) -> Self:
        """Casts all parameters and buffers."""
        return self._apply(lambda t: t.type(dst_type))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """New memory, of unknown values, for parameters and buffers."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device))

    def cpu(self) -> Self:
        """Moves parameters and buffers to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Moves parameters and buffers to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    # State

    def state_dict(
        self, *, destination: state.StateDict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> state.StateDict:
        """Parameters and persistent buffers by dotted name; they share memory with the module."""
        destination = state.StateDict() if destination is None else destination
        state.save(self, destination, prefix, keep_vars)
        return destination

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copies a state_dict into this module; `strict` demands that the keys match exactly."""
        return state.load(self, state_dict, strict, assign)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Writes this module's own tensors; subclasses override it to save more."""
        for name, tensor in state.persistent_tensors(self).items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._overrides("get_extra_state"):
            destination[prefix + state.EXTRA_STATE] = self.get_extra_state()

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Reads this module's own tensors; subclasses override it to accept older forms."""
        for hook in tuple(self._load_state_dict_pre_hooks.values()):
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        state.load_own(self, state_dict, prefix, local_metadata, missing_keys, unexpected_keys, error_msgs)

    def get_extra_state(self) -> Any:
        """What besides tensors to put into the state_dict. Subclasses define it together with set_extra_state."""
        raise RuntimeError(f"{type(self).__name__} defines no extra state")

    def set_extra_state(self, state: Any) -> None:
        """Takes what get_extra_state gave."""
        raise RuntimeError(f"{type(self).__name__} defines no extra state")

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Module, method)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before the state is collected."""
        return RemovableHandle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)`, which may change the state_dict in place."""
        return RemovableHandle(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)` first."""
        return RemovableHandle(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)`, which may change the keys in place."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook)

    # Printed form

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed form, before the child modules."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        if extra and not self._modules and "\n" not in extra:
            return f"{self._get_name()}({extra})"
        lines = [*extra.split("\n"), *(f"({name}): {child!r}" for name, child in self._modules.items())]
        text = "\n".join(line for line in lines if line)
        return f"{self._get_name()}(" + ("\n  " + text.replace("\n", "\n  ") + "\n" if text else "") + ")"


def _once(items: Iterable[tuple[str, M | None]], remove_duplicate: bool = True) -> Iterator[tuple[str, M]]:
    """The items that are not None; one that occurs again is left out."""
    seen: set[int] = set()
    for name, item in items:
        if item is not None and id(item) not in seen:
            if remove_duplicate:
                seen.add(id(item))
            yield name, item


__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]
