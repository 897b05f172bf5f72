"""Derivatives of functions at a point: torch.autograd.functional.

Several inputs or outputs are tuples of tensors. Backward passes make all of them, Jacobian-vector products included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from .. import grad_mode
from ..errors import runtime_error, type_error
from ..surface.unsupported import module_getattr
from ..tensor import Tensor
from .gradients import directional, grad

Function = Callable[..., Any]


def _tuple(name: str, what: str, value: Any) -> tuple[Any, ...]:
    found = cast("tuple[Any, ...]", value if isinstance(value, tuple) else (value,))
    for index, x in enumerate(found):
        if not isinstance(x, Tensor):
            raise type_error(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the value at index "
                f"{index} has type {type(x)}."
            )
    return found


class _Point:
    """A function evaluated at its inputs, and how to hand out what is derived from that."""

    def __init__(self, name: str, func: Function, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.single_input = not isinstance(inputs, tuple)
        given = _tuple(name, "inputs", inputs)
        self.inputs: list[Any] = [
            x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given
        ]
        output = func(*self.inputs)
        self.single_output = not isinstance(output, tuple)
        self.outputs = _tuple(name, "outputs", output)
        if strict and any(not y.requires_grad for y in self.outputs):
            raise runtime_error(f"{name}: strict, and an output does not depend on the inputs")

    def gradients(self, y: Sequence[Tensor], seeds: Sequence[Any], create_graph: bool) -> list[Tensor]:
        """Of the weighted sum of some outputs by the inputs."""
        pairs = [(a, b) for a, b in zip(y, seeds, strict=True) if a.requires_grad]
        found: Sequence[Tensor | None] = [None] * len(self.inputs)
        if pairs:
            found = grad(
                *([a for a, _ in pairs], self.inputs, [b for _, b in pairs]),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
            )
        if self.strict and any(g is None for g in found):
            raise runtime_error(f"{self.name}: strict, and an output does not depend on all inputs")
        return [x.detach().clone().zero_() if g is None else g for x, g in zip(self.inputs, found, strict=True)]

    def handed_out(self, values: Sequence[Any], single: bool) -> Any:
        """A tensor or a tuple; without history unless a graph was asked for."""
        found = tuple(v if self.create_graph else v.detach() for v in values)
        return found[0] if single else found

    def vector(self, v: Any, like: Sequence[Any], what: str) -> Sequence[Tensor]:
        """The vector of a product, which for a single number may be left out."""
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise runtime_error(
                    f"{self.name}: the vector v can only be None if the {what} is a single Tensor with a single element"
                )
            return [like[0].detach().clone().fill_(1.0)]
        found = _tuple(self.name, "v", v)
        if [x._spec.shape for x in found] != [x._spec.shape for x in like]:
            raise runtime_error(
                f"{self.name}: v has shapes {[list(x.shape) for x in found]}, the {what} have "
                f"{[list(x.shape) for x in like]}"
            )
        return found


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), v^T J)."""
    with grad_mode.enable_grad():
        at = _Point("vjp", func, inputs, create_graph, strict)
        found = at.gradients(at.outputs, at.vector(v, at.outputs, "output"), create_graph)
    return at.handed_out(at.outputs, at.single_output), at.handed_out(found, at.single_input)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), J v)."""
    with grad_mode.enable_grad():
        at = _Point("jvp", func, inputs, create_graph, strict)
        found = directional(at.outputs, at.inputs, at.vector(v, at.inputs, "input"), create_graph)
    return at.handed_out(at.outputs, at.single_output), at.handed_out(found, at.single_output)


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: of shape output.shape + input.shape for each output (outer tuple) and input (inner tuple).

    `vectorize` and `strategy` make no difference: there is one backward pass for each element of the outputs.
    """
    with grad_mode.enable_grad():
        at = _Point("jacobian", func, inputs, create_graph, strict)
        rows = [at.handed_out(_rows(at, y, create_graph), at.single_input) for y in at.outputs]
    return rows[0] if at.single_output else tuple(rows)


def _rows(at: _Point, y: Any, create_graph: bool) -> list[Any]:
    from ..ops.joining import stack

    rows = [at.gradients([element], [None], create_graph) for element in list(y.reshape(-1))]
    columns: Sequence[Any] = list(zip(*rows, strict=True)) or [()] * len(at.inputs)
    return [
        (stack(column) if column else x.new_zeros((0, *x.shape))).reshape(*y.shape, *x.shape)
        for column, x in zip(columns, at.inputs, strict=True)
    ]


def _scalar(name: str, func: Function) -> Function:
    def checked(*inputs: Any) -> Any:
        y = func(*inputs)
        if not isinstance(y, Tensor) or y.numel() != 1:
            raise runtime_error(f"{name}: expected the function to return a Tensor with a single element")
        return cast(Any, y).reshape(())

    return checked


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function that returns one number: of shape a.shape + b.shape for two inputs."""
    number = _scalar("hessian", func)

    def gradient(*inner: Any) -> Any:
        return jacobian(number, inner if isinstance(inputs, tuple) else inner[0], create_graph=True, strict=strict)

    return jacobian(gradient, inputs, create_graph=create_graph, strict=strict)


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), v^T H) of a function that returns one number."""
    with grad_mode.enable_grad():
        at = _Point("vhp", _scalar("vhp", func), inputs, create_graph, strict)
        weights = at.vector(v, at.inputs, "input")
        found = at.gradients(at.gradients(at.outputs, [None], create_graph=True), weights, create_graph)
    return at.handed_out(at.outputs, True), at.handed_out(found, at.single_input)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), H v) of a function that returns one number; H is symmetric, so it is that of `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

__getattr__ = module_getattr("irtool.autograd.functional", lambda: __all__)
