"""Functions of functions: torch.func. Gradients as functions, modules with other parameters, maps over batches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from . import autograd, grad_mode, tree
from .autograd.gradients import directional
from .errors import runtime_error
from .surface.unsupported import module_getattr
from .tensor import Tensor
from .vmap import vmap


class _Entered:
    """The arguments that a function is differentiated by, as tensors that gradients can be asked for."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: int | Sequence[int]) -> None:
        self.single = isinstance(argnums, int)
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        if any(not -len(args) <= n < len(args) for n in numbers):
            raise runtime_error(f"{name}: argnums {argnums} for a function that was called with {len(args)} arguments")
        leaves: list[Any] = []
        self.structures = [tree.flatten(args[n], leaves) for n in numbers]
        given: list[Any] = []
        tree.flatten((args, kwargs), given)
        self.nested = any(isinstance(x, Tensor) and x.requires_grad for x in given)
        """Whether somebody else differentiates the result."""
        self.inputs = [_entered(name, x) for x in leaves]
        rest = iter(self.inputs)
        replaced = list(args)
        for n, structure in zip(numbers, self.structures, strict=True):
            replaced[n] = tree.rebuild(structure, rest)
        self.args = tuple(replaced)

    def rebuilt(self, gradients: Sequence[Any]) -> Any:
        """One value for each input, in the form of the arguments."""
        rest = iter(gradients)
        found = tuple([tree.rebuild(structure, rest) for structure in self.structures])
        return found[0] if self.single else found

    def gradients(self, y: Tensor, seed: Tensor | None = None, retain_graph: bool | None = None) -> Sequence[Any]:
        """Of one output by all inputs; zeros where it does not depend on them."""
        if not y.requires_grad:
            return [x.detach().clone().zero_() for x in cast(Any, self.inputs)]
        return autograd.grad(
            *(y, self.inputs, seed),
            retain_graph=retain_graph,
            create_graph=self.nested,
            allow_unused=True,
            materialize_grads=True,
        )

    def left(self, value: Any) -> Any:
        """Tensors that the function returned, without history where nobody else differentiates them."""
        if self.nested:
            return value
        leaves: list[Any] = []
        structure = tree.flatten(value, leaves)
        return tree.rebuild(structure, iter([x.detach() if isinstance(x, Tensor) else x for x in leaves]))


def _entered(name: str, x: Any) -> Tensor:
    if not isinstance(x, Tensor) or x._spec.dtype.kind != "float":
        raise runtime_error(f"{name}: expected floating-point tensors to differentiate by, got {type(x).__name__}")
    return x.clone() if x.requires_grad else x.detach().requires_grad_()


def _with_aux(name: str, output: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return output, None
    pair = cast("tuple[Any, ...]", output)
    if not isinstance(output, tuple) or len(pair) != 2:
        raise runtime_error(f"{name}: with has_aux the function returns (output, aux), got {type(pair).__name__}")
    return pair[0], pair[1]


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns (gradient, value), or (gradient, (value, aux)); arguments may be trees of tensors."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with grad_mode.enable_grad():
            entered = _Entered("grad", args, kwargs, argnums)
            value, aux = _with_aux("grad", func(*entered.args, **kwargs), has_aux)
            if not isinstance(value, Tensor) or value.ndim:
                shape = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise runtime_error(f"grad: expected the function to return a tensor without dimensions, got {shape}")
            gradient = entered.rebuilt(entered.gradients(value))
        value, aux = entered.left(value), entered.left(aux)
        return gradient, ((value, aux) if has_aux else value)

    return wrapped


def value_and_grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns (value, gradient), or ((value, aux), gradient)."""
    swapped = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = swapped(*args, **kwargs)
        return value, gradient

    return wrapped


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient as a function; with `has_aux`, of (gradient, aux)."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The Jacobian as a function, of shape output.shape + input.shape for each output and each input of `argnums`; one
    backward pass for each element of the outputs. `chunk_size` makes no difference."""
    from .ops.joining import stack

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with grad_mode.enable_grad():
            entered = _Entered("jacrev", args, kwargs, argnums)
            output, aux = _with_aux("jacrev", func(*entered.args, **kwargs), has_aux)
            outputs: list[Any] = []
            structure = tree.flatten(output, outputs)
            found: list[Any] = []
            for y in outputs:
                if not isinstance(y, Tensor):
                    raise runtime_error(f"jacrev: expected the function to return tensors, got {type(y).__name__}")
                elements = cast("list[Tensor]", list(cast(Any, y).reshape(-1)))
                rows = [entered.gradients(element, retain_graph=True) for element in elements]
                columns: Sequence[Any] = list(zip(*rows, strict=True)) or [()] * len(entered.inputs)
                parts = [
                    (stack(column) if column else x.new_zeros((0, *x.shape))).reshape(*y.shape, *x.shape)
                    for column, x in zip(columns, cast("Sequence[Any]", entered.inputs), strict=True)
                ]
                found.append(entered.rebuilt(parts))
        jacobian = tree.rebuild(structure, iter(found))
        return (jacobian, entered.left(aux)) if has_aux else jacobian

    return wrapped


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The same Jacobian as `jacrev`, computed in the same way: there is no forward mode."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The second derivatives as a function."""
    return jacfwd(jacrev(func, argnums), argnums)


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), function of cotangents), and aux; the function returns a tuple, a gradient for each
    of `primals`."""
    with grad_mode.enable_grad():
        entered = _Entered("vjp", primals, {}, tuple(range(len(primals))))
        output, aux = _with_aux("vjp", func(*entered.args), has_aux)
    outputs: list[Any] = []
    structure = tree.flatten(output, outputs)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        """The gradients of sum(output * cotangent)."""
        seeds: list[Any] = []
        if tree.flatten(cotangents[0] if len(cotangents) == 1 else cotangents, seeds) != structure:
            raise runtime_error("vjp: expected cotangents in the form of what the function returned")
        pairs = [(y, seed) for y, seed in zip(outputs, seeds, strict=True) if y.requires_grad]
        nested = entered.nested or any(seed.requires_grad for seed in seeds)
        found: Sequence[Any] = autograd.grad(
            *([y for y, _ in pairs], entered.inputs, [seed for _, seed in pairs]),
            retain_graph=retain_graph,
            create_graph=nested if create_graph is None else create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        return entered.rebuilt(found)

    result = entered.left(output)
    return (result, pull, entered.left(aux)) if has_aux else (result, pull)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), its derivative in the direction of the tangents), and aux.

    It takes two backward passes: the gradient is linear in its cotangent u, and J v is its derivative by u.
    """
    seeds: list[Any] = []
    form = tree.flatten(tuple(tangents), seeds)
    if form != tree.flatten(tuple(primals), []):
        raise runtime_error("jvp: expected tangents in the form of the primals")
    with grad_mode.enable_grad():
        entered = _Entered("jvp", tuple(primals), {}, tuple(range(len(primals))))
        output, aux = _with_aux("jvp", func(*entered.args), has_aux)
        outputs: list[Any] = []
        structure = tree.flatten(output, outputs)
        found = directional(outputs, entered.inputs, seeds, entered.nested or any(s.requires_grad for s in seeds))
    result, tangent = entered.left(output), tree.rebuild(structure, iter(found))
    return (result, tangent, entered.left(aux)) if has_aux else (result, tangent)


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with other tensors in the place of its parameters and buffers, given by their names.

    With `tie_weights`, what is shared under several names is replaced under all of them. `strict` demands all names of
    the module and no other ones.
    """
    given = parameter_and_buffer_dicts
    merged: dict[str, Tensor] = {}
    for part in (given,) if isinstance(given, Mapping) else given:
        merged.update(part)
    places: dict[str, tuple[dict[str, Any], str]] = {}
    shared: dict[int, list[str]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        for table in (owner._parameters, owner._buffers):
            for last, value in table.items():
                if value is not None:
                    name = f"{path}.{last}" if path else last
                    places[name] = (table, last)
                    shared.setdefault(id(value), []).append(name)
    if tie_weights:
        for names in shared.values():
            first = next((name for name in names if name in merged), None)
            if first is not None:
                for name in names:
                    merged.setdefault(name, merged[first])
    unexpected, missing = sorted(merged.keys() - places.keys()), sorted(places.keys() - merged.keys())
    if strict and (unexpected or missing):
        raise runtime_error(f"functional_call: unexpected key(s): {unexpected}; missing key(s): {missing}")
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, (table, last) in places.items():
            if name in merged:
                before.append((table, last, table[last]))
                table[last] = merged[name]
        arguments = cast("tuple[Any, ...]", () if args is None else args if isinstance(args, tuple) else (args,))
        return module(*arguments, **(kwargs or {}))
    finally:
        for table, last, value in reversed(before):
            table[last] = value


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one kind, each stacked along a new first dimension: for `vmap` over
    `functional_call`, an ensemble of models."""
    from .ops.joining import stack

    if not models:
        raise runtime_error("stack_module_state: expected at least one model, got 0.")
    if any(type(m) is not type(models[0]) for m in models):
        raise runtime_error("stack_module_state: expected all models to be of the same class.")
    if len({m.training for m in models}) > 1:
        raise runtime_error("stack_module_state: expected all models to have the same training/eval mode.")
    rows = [dict(m.named_parameters()) for m in models]
    parameters = {k: stack([row[k] for row in rows]).detach() for k in rows[0]}
    for name, p in parameters.items():
        p.requires_grad = rows[0][name].requires_grad
    buffers = [dict(m.named_buffers()) for m in models]
    return parameters, {k: stack([row[k] for row in buffers]) for k in buffers[0]}


__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]

__getattr__ = module_getattr("irtool.func", lambda: __all__)
