"""Functions of f32 that are expanded to arithmetic: within 4 units in the last place, wherever they are asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.dialects.text import parse_module
from irtool.runtime import denormals
from irtool.runtime.compiler import compile_module
from irtool.runtime.denormals import set_thread_mode, without_denormals
from irtool.runtime.program import NativeProgram

STRIDE = 1009
"""Every so many bit patterns of f32 are tried."""
ULPS = 4.0

Array = np.ndarray[Any, Any]
ERF = np.vectorize(math.erf, otypes=[np.float64])

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "erf": ERF,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
}


@cache
def arguments() -> Array:
    """Bit patterns all over f32, and what is special: zeros, infinities, NaN, denormals, ends of ranges."""
    bits = np.arange(0, 1 << 32, STRIDE, dtype=np.uint64).astype(np.uint32)
    special = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 1.0, -1.0, 0.5,
         -0.5, 88.72283, 88.72284, -87.33655, -103.97208, 128.0, 127.99999, -149.0, -150.0, 16777216.0, 67108864.0,
         268435456.0, 1e22, 11.0 * np.pi, 4.0, 0.92, 10.0, -9.0],
        np.float32,
    )  # fmt: skip
    near_one = (1.0 + np.arange(-2000, 2000) * 2.0**-24).astype(np.float32)
    turns = (np.arange(1, 20000) * (np.pi / 2)).astype(np.float32)
    return np.concatenate([bits.view(np.float32), special, near_one, -near_one, turns])


def program_of(name: str, operands: int, count: int) -> NativeProgram:
    """A kernel that applies one function to each element."""
    inputs = [f"%x{k}" for k in range(operands)]
    type_ = f"memref<{count}xf32>"
    parameters = ", ".join(f"{x}: {type_}" for x in (*inputs, "%out"))
    maps = ", ".join(["affine_map<(i) -> (i)>"] * (operands + 1))
    values = [f"%a{k}" for k in range(operands)]
    scalars = ", ".join(f"{v}: f32" for v in (*values, "%old"))
    text = f"""
func.func @step({parameters} {{irtool.out = 0 : i64}}) {{
  func.call @kernel({", ".join(inputs)}, %out) : ({", ".join([type_] * (operands + 1))}) -> ()
  func.return
}}
func.func private @kernel({parameters} {{irtool.out = 0 : i64}}) attributes {{irtool.kernel}} {{
  linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel"]}}
      ins({", ".join(inputs)} : {", ".join([type_] * operands)}) outs(%out : {type_}) {{
  ^bb0({scalars}):
    %r = math.{name} {", ".join(values)} : f32
    linalg.yield %r : f32
  }}
  func.return
}}"""
    return compile_module(parse_module(text))


def compiled(name: str, *operands: Array) -> Array:
    """What the generated C makes of the operands."""
    buffers = [np.ascontiguousarray(x) for x in (*operands, np.empty_like(operands[0]))]
    program_of(name, len(operands), len(operands[0])).bind([b.ctypes.data for b in buffers]).run()
    return buffers[-1]


def error(given: Array, wanted: Array) -> Array:
    """The distance in units of the last place of the wanted value in f32; where either is not finite, 0 or infinity.

    Where denormals are flushed, so may be half of a result on the way to it.
    """
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        if denormals.flush:
            smallest = 2 * np.finfo(np.float32).tiny
            given, wanted, rounded = (np.where(np.abs(a) < smallest, 0, a) for a in (given, wanted, rounded))
        unit = np.spacing(np.minimum(np.abs(rounded), np.float32(3.4e38))).astype(np.float64)
        distance = np.abs(given.astype(np.float64) - wanted) / unit
        same = (given == rounded) | (np.isnan(given) & np.isnan(rounded))
        return np.where(same, 0.0, np.where(np.isfinite(given), distance, np.inf))


@pytest.fixture(params=["kept", "flushed"])
def given_denormals(request: pytest.FixtureRequest, denormal_mode: None) -> Callable[[Array], Array]:
    """What becomes of arguments, with denormals kept and as zero."""
    irtool.set_flush_denormal(request.param == "flushed")
    set_thread_mode(False)
    return without_denormals


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unary_function_is_accurate(name: str, given_denormals: Callable[[Array], Array]) -> None:
    x = given_denormals(arguments())
    with np.errstate(all="ignore"):
        wanted = FUNCTIONS[name](x.astype(np.float64))
    given = compiled(name, x)
    distance = error(given, wanted)
    worst = int(np.argmax(np.nan_to_num(distance, nan=np.inf)))
    assert distance[worst] <= ULPS, f"{name}({x[worst]!r}) gives {given[worst]!r}, not {wanted[worst]!r}"


def test_atan2_is_accurate(given_denormals: Callable[[Array], Array]) -> None:
    values = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, 3e38, -3e38, 1e-30, 7.5, -0.3], np.float32)
    y, x = (a.ravel() for a in np.meshgrid(values, values))
    rng = np.random.default_rng(0)
    more = (rng.standard_normal((2, 100000)) * np.exp(rng.uniform(-30, 30, (2, 100000)))).astype(np.float32)
    y, x = given_denormals(np.concatenate([y, more[0]])), given_denormals(np.concatenate([x, more[1]]))
    wanted = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    given = compiled("atan2", y, x)
    distance = error(given, wanted)
    worst = int(np.argmax(np.nan_to_num(distance, nan=np.inf)))
    assert distance[worst] <= ULPS, f"atan2({y[worst]!r}, {x[worst]!r}) gives {given[worst]!r}, not {wanted[worst]!r}"
    special = slice(0, len(values) ** 2)
    assert np.array_equal(np.signbit(given[special]), np.signbit(wanted[special])) or np.isnan(wanted[special]).any()


@pytest.mark.parametrize("name", ["expm1", "tanh", "sinh", "sin", "tan", "asin", "atan", "erf", "log1p"])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    given = compiled(name, np.array([0.0, -0.0], np.float32))
    assert given.tolist() == [0.0, 0.0]
    assert np.signbit(given).tolist() == [False, True]


def test_an_exponential_that_overflows_does_so_before_anything_is_added_to_it() -> None:
    """Contracted with the sum, its last product would be a finite number again."""
    x, y = irtool.tensor([88.9, 88.8, 129.0, 2.0]), irtool.tensor([3e38, 3.4e38, 3.4e38, 1.0])
    differences = irtool.compile(lambda x, y: (x.exp() - y, irtool.exp2(x) - y))
    for found, expected in zip(differences(x, y), (x.exp() - y, irtool.exp2(x) - y)):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-6)
