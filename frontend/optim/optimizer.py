"""Base of the optimizers: parameter groups, state, and one update written in tensor operations, eager and traced alike.

A subclass gives a table of numbers, the names of its state tensors, and how one parameter is updated.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, ClassVar

from ...dialects.types import DType
from .. import mutations
from ..errors import refused
from ..grad_mode import enable_grad, no_grad
from ..handles import RemovableHandle
from ..modes import modes
from ..tensor import Tensor
from ..tracing.again import Again
from ..tracing.trace import as_traced, paused
from ..used_up import UsedUp, zero_grad
from . import steps
from .numbers import Number, Numbers

Group = dict[str, Any]
State = dict[str, Any]
Params = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]


class Required:
    """Stands for an option without a default."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = Required()


class Optimizer:
    """Updates parameters by their gradients."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {}
    """The numbers that `update` uses, from hyperparameters and `step`."""

    param_groups: list[Group]
    state: defaultdict[Any, State]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.runtime_keys: frozenset[str] = frozenset({"lr"})
        """Hyperparameters that change from step to step: compiled programs take them anew on each call."""
        self.state = mutations.CountedDefaultDict(dict)
        self.param_groups = []
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + type(params).__name__
            )
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _patch_step_function(self) -> None:
        """What wrappers call instead of `__init__`: from then on, hooks can be registered."""
        self._pre_hooks: dict[int, Callable[..., Any]] = {}
        self._post_hooks: dict[int, Callable[..., Any]] = {}
        self._state_hooks: defaultdict[str, dict[int, Callable[..., Any]]] = defaultdict(dict)

    # What a subclass says

    def init_state(self, p: Tensor, group: Group) -> State:
        """The state tensors of one parameter before its first update, without the step count."""
        return {}

    def counts(self, group: Group) -> bool:
        """Whether the state holds a step count."""
        return True

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        """Changes one parameter and its state in place."""
        raise NotImplementedError

    # Groups

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with options of their own."""
        if not isinstance(param_group, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in "
                "sets will change between runs. Please use a list instead."
            )
        listed: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if listed and isinstance(listed[0], tuple):
            param_group["param_names"] = [name for name, _ in listed]
            listed = [parameter for _, parameter in listed]
        _check_params(listed)
        param_group["params"] = listed
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len({id(p) for p in listed}) != len(listed):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error",
                stacklevel=3,
            )
        taken = {id(p) for group in self.param_groups for p in group["params"]}
        if not taken.isdisjoint(id(p) for p in listed):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)
        mutations.bump()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of all parameters, or fills them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                zero_grad(p, set_to_none)

    # Steps

    _counts_apart = False
    """Whether parameters never share a step count."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient. A closure computes the loss again first, and is returned."""
        self.check_rate()
        for hook in tuple(self._pre_hooks.values()):
            hook(self, (), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                self._step_group(group)
        for hook in tuple(self._post_hooks.values()):
            hook(self, (), {})
        return loss

    def check_rate(self) -> None:
        """Raises where a scheduler has stepped in the function being compiled, which takes effect when a call ends."""
        if modes.trace is None:
            return
        if any(call.about is self for call in modes.trace.deferred):
            raise refused(
                "a scheduler's step() in a compiled function takes effect when the call ends: call it after the "
                "optimizer's step(), and ask for the learning rate before it or outside"
            )

    def _step_group(self, group: Group) -> None:
        trace, live = modes.trace, group
        group = as_traced(group)  # whose numbers may change from call to call
        batch: list[tuple[Tensor, Tensor, State]] = []
        for p in group["params"]:
            grad = p._grad if trace is None else trace.use_grad(p)
            if isinstance(grad, UsedUp):
                raise grad.missing()
            if grad is not None:
                batch.append((p, -grad if group.get("maximize") else grad, self._state_of(p, group)))
        if trace is not None:
            for p, _, state in batch:
                for key, value in state.items():
                    if isinstance(value, Tensor):
                        trace.name_after(value._storage, p._storage, key)
        numbers: dict[tuple[DType, int], Numbers] = {}
        counts = self._advance(group, [state for _, _, state in batch])
        for p, grad, state in batch:
            step = id(state.get(steps.KEY))
            n = numbers.get((p.dtype, step))
            if n is None:
                n = Numbers(self.NUMBERS, live, self.runtime_keys, p.dtype, counts.get(step, _uncounted))
                numbers[p.dtype, step] = n
            self.update(p, grad, state, group, n)

    def _state_of(self, p: Tensor, group: Group) -> State:
        """The state of a parameter; made outside of any trace, so that the first call is like the others."""
        state = self.state.get(p)
        if state:
            return state
        with paused():
            made = self.init_state(p, group)
        if self.counts(group):
            made[steps.KEY] = self._shared_step(group)
        trace = modes.trace
        if made and state is None:
            self.state[p] = mutations.CountedDict(made)
        elif made:
            self.state[p].update(made)
        if made and trace is not None:
            trace.on_failure(lambda: self.state.pop(p, None))
            trace.prepared += [(self.state, p), *((self.state[p], key) for key in made)]
        return self.state[p] if made else made

    def _shared_step(self, group: Group) -> Tensor:
        """A count at 0 that others of the group have too."""
        for p in () if self._counts_apart else group["params"]:
            step = self.state[p].get(steps.KEY) if p in self.state else None
            if step is not None and not steps.started(step):
                return step
        return steps.new_step()

    def _advance(self, group: Group, stepping: list[State]) -> dict[int, Callable[[], int]]:
        counted = [state for state in stepping if steps.KEY in state]
        if not counted:
            return {}
        states = [self.state[p] for p in group["params"] if p in self.state]
        if modes.trace is not None and steps.must_separate(counted, states):
            self._trace_again()
        steps.separate(counted, states)
        distinct = {id(state[steps.KEY]): state[steps.KEY] for state in counted}
        return {key: steps.advance(step) for key, step in distinct.items()}

    def _trace_again(self) -> None:
        """A compiled call steps several times, each with other parameters: each of them counts for itself."""

        def learn(hints: Any) -> None:
            self._counts_apart = True
            steps.set_apart(self.state.values())

        raise Again(learn)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step."""
        return RemovableHandle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle(self._post_hooks, hook)

    # State

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` before state_dict."""
        return RemovableHandle(self._state_hooks["before saving"], hook, prepend=prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` after state_dict; what it returns, unless None, is the result."""
        return RemovableHandle(self._state_hooks["after saving"], hook, prepend=prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` before load_state_dict; what it returns, unless None, is loaded."""
        return RemovableHandle(self._state_hooks["before loading"], hook, prepend=prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` after load_state_dict."""
        return RemovableHandle(self._state_hooks["after loading"], hook, prepend=prepend)

    def _run_hooks(self, when: str, *state: Any) -> Any:
        """The state dictionary, as the hooks leave it."""
        for hook in tuple(self._state_hooks[when].values()):
            changed = hook(self, *state)
            state = state if changed is None or not state else (changed,)
        return state[0] if state else None

    def state_dict(self) -> dict[str, Any]:
        """State and groups, with parameters by number."""
        self._run_hooks("before saving")
        order = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [order[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        states = {order[id(p)]: dict(state) for p, state in self.state.items()}
        return self._run_hooks("after saving", {"state": states, "param_groups": groups})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over state and options that `state_dict` gave, for the same parameters in the same order."""
        state_dict = self._run_hooks("before loading", dict(state_dict))
        groups, saved = self.param_groups, deepcopy(list(state_dict["param_groups"]))
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if [len(group["params"]) for group in groups] != [len(group["params"]) for group in saved]:
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        numbers = [number for group in saved for number in group["params"]]
        by_number = dict(zip(numbers, self._parameters(), strict=True))
        self.state.clear()
        for number, values in state_dict["state"].items():
            p = by_number[number]
            loaded = {key: _loaded(key, value, p) for key, value in values.items() if value is not None}
            if loaded:
                self.state[p] = mutations.CountedDict(loaded)
        for group, options in zip(groups, saved, strict=True):
            group.update({k: v for k, v in options.items() if k != "params"})
            states = [self.state[p] for p in group["params"] if p in self.state]
            for state in states if self.counts(group) else ():
                state.setdefault(steps.KEY, 1.0)
            steps.share(states)
        mutations.bump()
        self._run_hooks("after loading")

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            lines += [""] if index + 1 < len(self.param_groups) else []
        return "\n".join([*lines, ")"])


def _uncounted() -> int:
    raise RuntimeError("this optimizer keeps no step count")


def _check_params(params: list[Any]) -> None:
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
        if not p.is_leaf:
            raise ValueError("can't optimize a non-leaf Tensor")


def _loaded(key: str, value: Any, p: Tensor) -> Any:
    """A copy of a state value, on the device and in the element type of its parameter, but for step counts."""
    if not isinstance(value, Tensor):
        return deepcopy(value)
    copied = value.detach().clone()
    if key == steps.KEY:
        return copied
    return copied.to(p.device, p.dtype) if p.is_floating_point() else copied.to(p.device)


def zero_state(p: Tensor, *names: str) -> State:
    """State that starts as zeros, in the shape and dtype of the parameter."""
    return {name: p.new_zeros(p.shape) for name in names}


__all__ = ["Optimizer"]
