"""Layers that learn from their first input how many features it has, and then are ordinary ones: LazyLinear, and what
the lazy rows of `by_rank.py` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import mutations
from ..errors import runtime_error
from ..tensor import Tensor
from ..tracing.trace import paused
from .linear import Linear
from .module import Module
from .parameter import Parameter


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; an optimizer may have it already."""

    def __repr__(self, **_: Any) -> str:
        return "<UninitializedParameter>"


class _Lazy(Module):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(0, *args, **options)  # pyright: ignore[reportCallIssue]
        self._made_with = (args, options)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._parameters[name] = UninitializedParameter()

    def reset_parameters(self) -> None:
        """Nothing is drawn before the first input."""

    def _features(self, input: Tensor) -> int:
        """How many features an input has."""
        return int(input.shape[1])

    def _features_of_weight(self, weight: Tensor) -> int:
        """How many features the inputs of a weight have."""
        return int(weight.shape[0])

    def _becomes(self) -> Callable[..., Module]:
        """The class of the layer that this one becomes."""
        kind: Any = type(self)
        return next(base for base in kind.__mro__ if not issubclass(base, _Lazy))

    def _become(self, features: int) -> None:
        args, options = self._made_with
        with paused():
            made = self._becomes()(features, *args, **options).train(self.training)
            for name, parameter in self._parameters.items():
                if parameter is not None:
                    parameter.data = made._parameters[name].data  # pyright: ignore[reportOptionalMemberAccess]
                    parameter.__class__ = Parameter
        # The parameters stay the same objects; hooks stay too.
        kept = {"_parameters", "_modules", "_made_with", *(name for name in self.__dict__ if name.endswith("_hooks"))}
        self.__dict__.update({name: value for name, value in made.__dict__.items() if name not in kept})
        del self.__dict__["_made_with"]
        self.__class__ = type(made)  # pyright: ignore[reportAttributeAccessIssue]
        mutations.bump()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._become(self._features(args[0]))
        return self(*args, **kwargs)

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
        weight = state_dict.get(f"{prefix}weight")
        load = Module._load_from_state_dict
        if isinstance(weight, Tensor):
            self._become(self._features_of_weight(weight))
            load = type(self)._load_from_state_dict  # the ordinary layer's
        load(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)


class _LazyConv(_Lazy):
    def _features(self, input: Tensor) -> int:
        rank: int = self.RANK
        if input.ndim not in (rank + 1, rank + 2):
            raise runtime_error(
                f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {type(self).__name__}, but got "
                f"input of size: {list(input.shape)}"
            )
        return int(input.shape[-rank - 1])

    def _features_of_weight(self, weight: Tensor) -> int:
        return int(weight.shape[0] if self.transposed else weight.shape[1] * self.groups)


class LazyLinear(_Lazy, Linear):
    """Linear(in_features, ...) of as many features as the first input has."""

    def _features(self, input: Tensor) -> int:
        return int(input.shape[-1])

    def _features_of_weight(self, weight: Tensor) -> int:
        return int(weight.shape[1])


__all__ = ["LazyLinear", "UninitializedParameter"]
