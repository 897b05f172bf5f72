"""Layers that learn from their first input how many features it has, and then are ordinary ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .. import mutations
from ..errors import runtime_error
from ..tensor import Tensor
from ..tracing.trace import paused
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .parameter import Parameter


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; an optimizer may have it already."""

    def __repr__(self, **_: Any) -> str:
        return "<UninitializedParameter>"


class _Lazy(Module):
    BECOMES: ClassVar[Callable[..., Module]]
    """The class of the layer that this one becomes."""

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

    def _become(self, features: int) -> None:
        args, options = self._made_with
        with paused():
            made = self.BECOMES(features, *args, **options).train(self.training)
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

    BECOMES = Linear

    def _features(self, input: Tensor) -> int:
        return int(input.shape[-1])

    def _features_of_weight(self, weight: Tensor) -> int:
        return int(weight.shape[1])


class LazyConv1d(_LazyConv, Conv1d):
    """Conv1d of as many channels as the first input has."""

    BECOMES = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Conv2d of as many channels as the first input has."""

    BECOMES = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Conv3d of as many channels as the first input has."""

    BECOMES = Conv3d


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """ConvTranspose1d of as many channels as the first input has."""

    BECOMES = ConvTranspose1d


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """ConvTranspose2d of as many channels as the first input has."""

    BECOMES = ConvTranspose2d


class LazyConvTranspose3d(_LazyConv, ConvTranspose3d):
    """ConvTranspose3d of as many channels as the first input has."""

    BECOMES = ConvTranspose3d


class LazyBatchNorm1d(_Lazy, BatchNorm1d):
    """BatchNorm1d of as many channels as the first input has."""

    BECOMES = BatchNorm1d


class LazyBatchNorm2d(_Lazy, BatchNorm2d):
    """BatchNorm2d of as many channels as the first input has."""

    BECOMES = BatchNorm2d


class LazyBatchNorm3d(_Lazy, BatchNorm3d):
    """BatchNorm3d of as many channels as the first input has."""

    BECOMES = BatchNorm3d


class LazyInstanceNorm1d(_Lazy, InstanceNorm1d):
    """InstanceNorm1d of as many channels as the first input has."""

    BECOMES = InstanceNorm1d


class LazyInstanceNorm2d(_Lazy, InstanceNorm2d):
    """InstanceNorm2d of as many channels as the first input has."""

    BECOMES = InstanceNorm2d


class LazyInstanceNorm3d(_Lazy, InstanceNorm3d):
    """InstanceNorm3d of as many channels as the first input has."""

    BECOMES = InstanceNorm3d
