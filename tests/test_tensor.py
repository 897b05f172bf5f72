"""Tensors: errors at the user's line, values and traces, conversions, random numbers, the package's names."""

from __future__ import annotations

import copy
import importlib
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor
from irtool.dialects.types import TensorSpec
from irtool.runtime.storage import SymbolicStorage

HERE = r"\(at test_tensor\.py:\d+\)$"

MISTAKES: dict[str, tuple[type[Exception], str, Callable[[Tensor], Any]]] = {
    "broadcast": (
        RuntimeError,
        r"size of tensor a \(4\) must match the size of tensor b \(3\)",
        lambda x: x + irtool.ones(3),
    ),
    "matmul": (RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x4 and 2x4\)", lambda x: x @ x),
    "dtypes of matmul": (
        RuntimeError,
        "to have the same dtype, but got: float != double",
        lambda x: x @ x.t().double(),
    ),
    "reshape": (RuntimeError, r"shape '\[3, 3\]' is invalid for input of size 8", lambda x: x.reshape(3, 3)),
    "cat": (RuntimeError, "Sizes of tensors must match except in dimension 0", lambda x: irtool.cat([x, x[:, 1:]])),
    "stack": (RuntimeError, "stack expects each tensor to be equal size", lambda x: irtool.stack([x, x[0]])),
    "index": (IndexError, "index 5 is out of bounds for dimension 1 with size 4", lambda x: x[:, 5]),
    "too many indices": (IndexError, "too many indices for tensor of dimension 2", lambda x: x[0, 0, 0]),
    "dim": (
        IndexError,
        r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)",
        lambda x: x.sum(2),
    ),
    "expand": (RuntimeError, "expanded size of the tensor", lambda x: x.expand(2, 5)),
    "bitwise": (RuntimeError, "not implemented for 'Float'", lambda x: x & x),
    "no number": (TypeError, "expected a Tensor or a number", lambda x: irtool.add(x, "1")),
    "device": (RuntimeError, "CUDA needs", lambda x: x.to("cuda")),
    "size": (TypeError, "must be tuple of ints", lambda x: irtool.zeros("a")),
}


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_the_line(name: str, compiled: bool) -> None:
    kind, message, function = MISTAKES[name]
    called = irtool.compile(function, target="reference") if compiled else function
    with pytest.raises(kind, match=f"{message}.*{HERE}"):
        called(irtool.ones(2, 4))


NEEDS_VALUES: dict[str, Callable[[Tensor], Any]] = {
    ".item()": lambda x: x.sum().item(),
    "bool": lambda x: 1 if x.sum() > 0 else 2,
    "float": lambda x: float(x[0]),
    ".numpy()": lambda x: x.numpy(),
    ".tolist()": lambda x: x.tolist(),
    "mask": lambda x: x[x > 0],
    "nonzero": lambda x: irtool.nonzero(x),
    "unique": lambda x: irtool.unique(x),
    "bincount": lambda x: irtool.bincount(x.long()),
    "pack_padded_sequence": lambda x: irtool.nn.utils.rnn.pack_padded_sequence(x.reshape(1, 2, 1), x.long()),
}


@pytest.mark.parametrize("name", NEEDS_VALUES)
def test_what_needs_values_says_so_in_a_compiled_function(name: str) -> None:
    function = NEEDS_VALUES[name]
    function(irtool.ones(2))
    with pytest.raises(RuntimeError, match=f"needs the value of a tensor.*{HERE}"):
        irtool.compile(function, target="reference")(irtool.ones(2))


def test_masked_writes_of_one_number_are_traceable() -> None:
    def function(x: Tensor) -> Tensor:
        y = x.clone()
        y[y < 0] = 0
        return y

    x = irtool.tensor([1.0, -2.0])
    assert irtool.compile(function, target="reference")(x).tolist() == function(x).tolist() == [1.0, 0.0]


def test_no_warnings_leak_from_numpy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = np.geterr()
        x = irtool.tensor([0.0, -1.0, 1e38, float("inf"), float("nan")])
        for y in (
            x / 0,
            x.log(),
            x.sqrt(),
            x * 1e38,
            x.exp(),
            x - x,
            x.long(),
            x % 0,
            1 // x,
            x.sum(),
            x.mean(),
            x.std(),
        ):
            repr(y)
        irtool.tensor([1.0, 2.0]) // 0
        x += x
        assert np.geterr() == before


def test_numbers_as_tensors() -> None:
    x = irtool.tensor([2.0, -0.0])
    assert (1 - x).tolist() == [-1.0, 1.0]
    assert (1 / x).tolist() == [0.5, float("-inf")]
    assert (x * -0.0).tolist() == [-0.0, 0.0] and str((x * -0.0)[0].item()) == "-0.0"
    assert (np.float32(2) * x).tolist() == [4.0, 0.0]
    assert (x + np.ones(2, np.float32)).tolist() == [3.0, 1.0]
    assert (2 ** irtool.tensor([1, 3])).tolist() == [2, 8]
    with pytest.raises(TypeError):
        _ = x + "a"
    assert (x == irtool.tensor([2.0, 0.0])).all() and x.__eq__("a") is NotImplemented


def test_python_protocols() -> None:
    x = irtool.tensor([[1, 2], [3, 4]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert 3 in x and 7 not in x
    assert [10, 20, 30][irtool.tensor(1)] == 20
    assert int(x[1, 1]) == 4 and float(x[0, 0]) == 1.0 and bool(x[0, 0])
    assert {x: 1}[x] == 1
    with pytest.raises(TypeError, match="len\\(\\) of a 0-d tensor"):
        len(irtool.tensor(1))
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        bool(x)
    values, indices = irtool.max(x, 1)
    assert values.tolist() == [2, 4] and indices.tolist() == [1, 1]
    assert sum(irtool.tensor([1.0, 2.0])).item() == 3.0


def test_copies_and_pickles() -> None:
    x = irtool.tensor([1.0, 2.0], requires_grad=True)
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.tolist() == [1.0, 2.0] and twin.requires_grad and twin.is_leaf
        assert not np.shares_memory(twin.detach().numpy(), x.detach().numpy())
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)
    assert pickle.loads(pickle.dumps(irtool.float32)) is irtool.float32


def test_attributes_stay() -> None:
    x = irtool.ones(2)
    x.tag = "mine"
    assert x.tag == "mine"
    with pytest.raises(AttributeError):
        _ = x.nothing


def test_random_numbers_repeat() -> None:
    irtool.manual_seed(3)
    first = [irtool.rand(3), irtool.randn(2, 2), irtool.randint(0, 100, (5,)), irtool.randperm(6)]
    irtool.manual_seed(3)
    second = [irtool.rand(3), irtool.randn(2, 2), irtool.randint(0, 100, (5,)), irtool.randperm(6)]
    assert all(irtool.equal(x, y) for x, y in zip(first, second))
    assert not irtool.equal(irtool.rand(3), first[0])
    generator = irtool.Generator().manual_seed(3)
    assert irtool.equal(irtool.rand(3, generator=generator), first[0])
    state = irtool.get_rng_state()
    x = irtool.rand(2)
    irtool.set_rng_state(state)
    assert irtool.equal(irtool.rand(2), x)
    assert irtool.Generator().manual_seed(2**63 + 1).initial_seed() == 2**63 + 1


def test_random_numbers_are_the_same_traced() -> None:
    def draw(x: Tensor) -> tuple[Tensor, ...]:
        return (
            irtool.rand(2, 3) * x,
            irtool.randn(4),
            irtool.randint(0, 9, (5,)),
            irtool.bernoulli(irtool.full((6,), 0.5)),
        )

    compiled = irtool.compile(draw, target="reference")
    irtool.manual_seed(1)
    eager = [draw(irtool.ones(())) for _ in range(2)]
    irtool.manual_seed(1)
    traced = [compiled(irtool.ones(())) for _ in range(2)]
    for x, y in zip(eager, traced):
        assert all(irtool.allclose(a, b) for a, b in zip(x, y))
    assert not irtool.equal(traced[0][0], traced[1][0])


def test_distributions() -> None:
    irtool.manual_seed(0)
    x = irtool.randn(20000)
    assert abs(x.mean().item()) < 0.03 and abs(x.std().item() - 1) < 0.03 and bool(x.isfinite().all())
    u = irtool.rand(20000)
    assert u.min().item() >= 0 and u.max().item() < 1 and abs(u.mean().item() - 0.5) < 0.01
    i = irtool.randint(-3, 4, (20000,))
    assert sorted(irtool.unique(i).tolist()) == list(range(-3, 4))
    wide = irtool.randint(0, 1 << 40, (1000,))
    assert wide.min().item() >= 0 and (1 << 36) < wide.max().item() < 1 << 40
    assert abs(irtool.empty(20000).uniform_(2, 4).mean().item() - 3) < 0.03
    assert abs(irtool.empty(20000).normal_(1, 2).std().item() - 2) < 0.06
    assert abs(irtool.empty(20000).exponential_(2.0).mean().item() - 0.5) < 0.02
    assert abs(irtool.empty(20000).bernoulli_(0.3).mean().item() - 0.3) < 0.02
    counts = irtool.bincount(irtool.multinomial(irtool.tensor([1.0, 3.0]), 8000, replacement=True))
    assert abs(counts[1].item() / 8000 - 0.75) < 0.03
    assert sorted(irtool.multinomial(irtool.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]


def test_names_of_the_package() -> None:
    assert all(hasattr(irtool, name) for name in irtool.__all__ if name != "compile")
    for name in (
        "nn",
        "nn.functional",
        "nn.init",
        "optim",
        "optim.lr_scheduler",
        "utils.data",
        "autograd",
        "random",
        "cuda",
    ):
        assert importlib.import_module(f"irtool.{name}") is sys.modules[f"irtool.{name}"]
    assert irtool.cuda.is_available() is False and str(irtool.device("cuda:0")) == "cuda:0"
    with pytest.raises(AttributeError, match="has no attribute 'fft_of_everything'"):
        _ = irtool.fft_of_everything


def test_import_is_light() -> None:
    program = (
        "import sys, irtool; "
        "print([m for m in sys.modules if m.startswith(('irtool.passes', 'irtool.codegen', 'irtool.tools', 'click', "
        "'rich', 'xdsl.dialects.linalg', 'xdsl.dialects.memref', 'xdsl.dialects.vector'))])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_a_tensor_of_a_trace_has_no_value_outside() -> None:
    spec = TensorSpec((2,), irtool.float32)
    escaped = Tensor(SymbolicStorage(spec))
    for use in (lambda t: t + 1, lambda t: t.tolist(), lambda t: t.numpy()):
        with pytest.raises(RuntimeError, match="has no value outside that trace"):
            use(escaped)


def test_a_tensor_of_a_trace_may_be_where_a_function_does_not_look() -> None:
    class Holder:
        factor, escaped = 2, Tensor(SymbolicStorage(TensorSpec((2,), irtool.float32)))

    scale = irtool.compile(lambda x: x * Holder.factor if Holder.factor else Holder.escaped)
    assert scale(irtool.ones(2)).tolist() == [2, 2]


def test_einsum_traced() -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        return irtool.einsum("bij,kj->bik", x, y)

    x, y = irtool.randn(2, 3, 4), irtool.randn(5, 4)
    expected = np.einsum("bij,kj->bik", x.numpy(), y.numpy())
    assert np.allclose(irtool.compile(function, target="reference")(x, y).numpy(), expected, atol=1e-5)
