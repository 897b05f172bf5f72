"""Random tensors: distributions, made of the numbers that generators give."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dialects.hl import indexing as i
from ..dialects.hl import random as r
from ..dialects.types import DType, f32, f64, i1, i64
from . import eager
from .creation import from_array, full_of, made_on, sizes
from .devices import place
from .dispatch import apply, builder, scalar
from .eager import on_host
from .errors import runtime_error, type_error, untraceable
from .generator import (
    Generator,
    default_generator,
    fork_rng,
    generator_at,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .modes import modes
from .ops.arithmetic import add, mul
from .ops.checks import check_holds
from .ops.elementwise import FUNCTIONS as ELEMENTWISE
from .ops.in_place import copy_
from .ops.operands import cast, expand_to, flat
from .ops.ordering import searchsorted
from .ops.shape import reshaped, select
from .promotion import get_default_dtype
from .random_checks import check_deviation, check_float, check_probability
from .surface.unsupported import module_getattr
from .tensor import Tensor

# Distributions


def uniform(shape: tuple[int, ...], dtype: DType, generator: Generator | None = None) -> Tensor:
    """Evenly distributed over [0, 1)."""
    state = (generator or generator_at()).take(math.prod(shape))
    return apply(r.UniformOp, (state,), {"shape": shape, "dtype": dtype})[0]


def normal_numbers(shape: tuple[int, ...], dtype: DType, generator: Generator | None = None) -> Tensor:
    """Normally distributed with mean 0 and deviation 1: Box-Muller on pairs of uniform numbers."""
    pair = uniform((2, *shape), dtype, generator)
    # 1 - u lies in (0, 1], where the logarithm is finite.
    one = scalar(1, shape, dtype)
    radius = builder.sqrt(mul(builder.log(builder.sub(one, select(pair, 0, 0))), -2.0))
    return builder.mul(radius, builder.cos(mul(select(pair, 0, 1), 2 * math.pi)))


def bits(shape: tuple[int, ...], generator: Generator | None = None) -> Tensor:
    """Random integers from 0 to 2 ** 32 - 1, as int64."""
    state = (generator or generator_at()).take(math.prod(shape))
    drawn = apply(r.RandomBitsOp, (state,), {"shape": shape})[0]
    return builder.bitwise_and(builder.cast(drawn, i64), builder.constant(0xFFFFFFFF, shape, i64))


def _sampler(name: str, draw: Callable[..., Tensor]) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """The function of a size and the function of a tensor like which to make one."""

    def create(
        *size: Any, generator: Generator | None = None, dtype: DType | None = None, device: Any = None,
        requires_grad: bool = False, **named: Any,
    ) -> Tensor:  # fmt: skip
        with made_on(place(device)):
            result = draw(sizes(name, size, named), dtype or get_default_dtype(), generator)
        result.requires_grad = requires_grad
        return result

    def create_like(
        input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        device = input.device if device is None else device
        return create(input._spec.shape, dtype=dtype or input._spec.dtype, device=device, requires_grad=requires_grad)

    create.__name__, create_like.__name__ = name, f"{name}_like"
    return create, create_like


rand, rand_like = _sampler("rand", uniform)
randn, randn_like = _sampler("randn", normal_numbers)


def _integers(low: int, high: int, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    if high <= low:
        raise runtime_error(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    drawn = bits(shape, generator)
    span = high - low
    if span > 1 << 32:
        upper = builder.bitwise_and(bits(shape, generator), builder.constant(0x7FFFFFFF, shape, i64))
        drawn = add(mul(upper, 1 << 32), drawn)
    return add(ELEMENTWISE["remainder"](drawn, span), low)


def randint(
    low: Any = None, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    dtype: DType | None = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers from low to high, which is left out."""
    where = place(device)
    if low is None:
        low = 0
    if size is None and not isinstance(high, int):
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    if size is None:
        raise type_error("randint(): missing the argument 'size'")
    with made_on(where):
        return cast(_integers(int(low), int(high), sizes("randint", (size,)), generator), dtype or i64)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """randint with the shape and type of a tensor"""
    if high is None:
        low, high = 0, low
    return randint(low, high, input._spec.shape, dtype=dtype or input._spec.dtype, device=input.device)


def randperm(n: int, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None) -> Tensor:
    """The numbers from 0 to n - 1 in random order."""
    with made_on(place(device)):
        # In the order of random numbers: of two keys, since one of 32 bits may come twice.
        keys = bits((2, n), generator)
        second = builder.sort(select(keys, 0, 0), 0)[1]
        first = builder.sort(apply(i.GatherOp, (select(keys, 0, 1), second), {"axis": 0, "batch_dims": 0})[0], 0)[1]
        return cast(apply(i.GatherOp, (second, first), {"axis": 0, "batch_dims": 0})[0], dtype or i64)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element (or p) says, otherwise 0."""
    dtype = input._spec.dtype if input._spec.dtype.kind == "float" else get_default_dtype()
    drawn = uniform(input._spec.shape, dtype, generator)
    chance = input.detach() if p is None else p
    check_probability("bernoulli", chance)
    return flat(cast(ELEMENTWISE["lt"](drawn, chance), input._spec.dtype), input)


def keep_mask(shape: tuple[int, ...], p: float, generator: Generator | None = None) -> Tensor:
    """True with probability p, as dropout wants it."""
    state = (generator or generator_at()).take(math.prod(shape))
    return apply(r.BernoulliOp, (state, scalar(p, (), f32)), {"shape": shape})[0]


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: DType | None = None
) -> Tensor:
    """Normally distributed numbers with the given mean and deviation: numbers, or a tensor each."""
    if size is None:
        from .ops.operands import common_shape

        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise type_error("normal(): the argument 'size' is required where mean and std are numbers")
        size = common_shape(mean, std)
        dtype = dtype or next(x for x in (mean, std) if isinstance(x, Tensor))._spec.dtype
    check_deviation("normal", std)
    numbers = normal_numbers(sizes("normal", (size,)), dtype or get_default_dtype(), generator)
    centre, deviation = (x.detach() if isinstance(x, Tensor) else x for x in (mean, std))
    return flat(add(mul(numbers, deviation), centre), mean, std)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Positions drawn by their weights."""
    if input._spec.dtype.kind != "float":
        raise runtime_error(f"multinomial only supports floating-point dtypes for input, got: {input.dtype}")
    if not 1 <= len(input._spec.shape) <= 2:
        raise runtime_error("prob_dist must be 1 or 2 dim")
    if num_samples <= 0:
        raise runtime_error("cannot sample n_sample <= 0 samples")
    given = input.detach()
    possible = given.ge(0).logical_and(given.isfinite())
    check_holds(possible, RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0")
    something = given.sum(-1).ne(0)
    check_holds(something, RuntimeError, "invalid multinomial distribution (sum of probabilities <= 0)")
    weights = cast(given, f64)
    shape = weights._spec.shape
    n = shape[-1]
    rows = weights.reshape(-1, n)
    count = rows._spec.shape[0]
    if num_samples > n and not replacement:
        raise runtime_error("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if replacement:
        drawn = cast(uniform((count, num_samples), get_default_dtype(), generator), f64)
        edges = builder.cumsum(rows, 1)
        found = searchsorted(edges, mul(drawn, edges[:, -1:]), right=True).clamp(max=n - 1)
    else:
        # The largest of exponential races win in proportion to their weights.
        drawn = cast(uniform((count, n), get_default_dtype(), generator), f64)
        race = builder.div(builder.log1p(builder.neg(drawn)), rows)
        never = builder.compare("eq", rows, scalar(0.0, rows._spec.shape, f64))
        race = builder.select(never, scalar(-math.inf, rows._spec.shape, f64), race)
        found = builder.sort(race, 1, True)[1][:, :num_samples]
    return found.reshape(*shape[:-1], num_samples)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of what happens at the rates that the elements say; in eager code alone."""
    check_float("poisson", input)
    if modes.trace is not None:
        raise untraceable("poisson()", "draw the counts outside, and pass them in")
    (rates,) = eager.mirrored("poisson", input)
    if not (rates >= 0).all():
        raise runtime_error("invalid Poisson rate, expected rate to be non-negative")
    key = on_host(bits((2,), generator)).astype(np.uint64)
    drawn = np.random.Generator(np.random.Philox(key=key)).poisson(rates)
    return flat(from_array(np.asarray(drawn, rates.dtype)), input)


# In place


def _filler(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, generator: Generator | None = None, **options: Any) -> Tensor:
        return copy_(self, draw(self, *args, generator=generator, **options))

    return method


def _float_of(x: Tensor) -> DType:
    return x._spec.dtype if x._spec.dtype.kind == "float" else get_default_dtype()


def _uniform(
    self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None, **names: float
) -> Tensor:
    low, high = names.get("from", a), names.get("to", b)
    check_float("uniform_", self)
    if low > high:
        raise runtime_error(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    return add(mul(uniform(self._spec.shape, _float_of(self), generator), high - low), low)


def _normal(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    check_float("normal_", self)
    check_deviation("normal", std)
    return add(mul(normal_numbers(self._spec.shape, _float_of(self), generator), std), mean)


def _exponential(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    check_float("exponential_", self)
    drawn = uniform(self._spec.shape, _float_of(self), generator)
    return mul(builder.log(ELEMENTWISE["sub"](1, drawn)), -1 / lambd)


def _bernoulli(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    check_probability("bernoulli_", p)
    drawn = uniform(self._spec.shape, f32, generator)
    return ELEMENTWISE["lt"](drawn, p)


def _random(
    self: Tensor, low: int | None = None, high: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    if high is None:
        low, high = 0, low
    if high is None:
        high = 1 << (24 if self._spec.dtype.kind == "float" else min(self._spec.dtype.bits - 1, 31))
    return _integers(low or 0, high, self._spec.shape, generator)


def _bernoulli_method(self: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    return bernoulli(self, p, generator=generator)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        bernoulli,
        get_rng_state,
        initial_seed,
        manual_seed,
        multinomial,
        normal,
        poisson,
        rand,
        rand_like,
        randint,
        randint_like,
        randn,
        randn_like,
        randperm,
        seed,
        set_rng_state,
    )
}
METHODS: dict[str, Callable[..., Any]] = {
    "bernoulli": _bernoulli_method,
    "multinomial": multinomial,
    "uniform_": _filler(_uniform),
    "normal_": _filler(_normal),
    "exponential_": _filler(_exponential),
    "bernoulli_": _filler(_bernoulli),
    "random_": _filler(_random),
}

__getattr__ = module_getattr("irtool.random", lambda: (*FUNCTIONS, "fork_rng"))

__all__ = [
    "FUNCTIONS",
    "METHODS",
    "Generator",
    "default_generator",
    "expand_to",
    "fork_rng",
    "full_of",
    "i1",
    "manual_seed",
    "reshaped",
]
