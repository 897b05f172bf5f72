"""Tensors on a device: PyTorch's names, rules and errors."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor, nn
from irtool.frontend import devices
from irtool.runtime import device_memory

F: Any = nn.functional


pytestmark = pytest.mark.usefixtures("emulated_gpu")


def cuda(*rows: Any) -> Tensor:
    return irtool.tensor(rows, device="cuda")


# Names


def test_a_device_is_what_it_is_in_pytorch() -> None:
    d = irtool.device("cuda:0")
    assert str(d) == "cuda:0" and repr(d) == "device(type='cuda', index=0)" and (d.type, d.index) == ("cuda", 0)
    assert d == irtool.device("cuda", 0) == irtool.device(0) and hash(d) == hash(irtool.device("cuda:0"))
    assert d != irtool.device("cuda") and irtool.device("cuda").index is None and pickle.loads(pickle.dumps(d)) == d
    assert cuda(1.0).device == d and cuda(1.0).is_cuda and not cuda(1.0).is_cpu and cuda(1.0).get_device() == 0
    assert irtool.ones(1).get_device() == -1 and not irtool.ones(1).is_cuda
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        irtool.ones(1, device="cuda:1")
    with pytest.raises(RuntimeError, match="device type at start of device string"):
        irtool.ones(1).to("gpu")


def test_the_gpu_is_asked_as_in_pytorch() -> None:
    assert irtool.cuda.is_available() and irtool.cuda.device_count() == 1 and irtool.cuda.current_device() == 0
    assert "emulated" in irtool.cuda.get_device_name(0) and len(irtool.cuda.get_device_capability()) == 2
    assert irtool.cuda.get_device_properties("cuda").total_memory > 0
    irtool.cuda.reset_peak_memory_stats()
    before = irtool.cuda.memory_allocated()
    x = irtool.zeros(1024, device="cuda")
    assert irtool.cuda.memory_allocated() == before + 4096 <= irtool.cuda.max_memory_allocated()
    del x
    assert irtool.cuda.memory_allocated() == before < irtool.cuda.memory_reserved()
    irtool.cuda.empty_cache()
    irtool.cuda.synchronize()
    with pytest.raises(RuntimeError, match="Expected a cuda device, but got: cpu"):
        irtool.cuda.memory_allocated("cpu")


def test_without_a_gpu_the_call_that_needs_one_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_memory, "missing", lambda: "no driver")
    monkeypatch.setattr(devices, "missing", lambda: "no driver")
    assert not irtool.cuda.is_available() and irtool.cuda.device_count() == 0
    with pytest.raises(RuntimeError, match=r"no driver \(at test_devices.py:"):
        irtool.ones(2).cuda()


# Moving


def test_to_in_all_its_forms() -> None:
    x = irtool.arange(6.0).reshape(2, 3)
    there = x.to("cuda")
    for moved in (x.cuda(), x.cuda(0), x.to(device="cuda:0"), x.to(irtool.device("cuda")), x.to(there), x.to(0)):
        assert moved.device == there.device and moved.dtype is x.dtype and moved.cpu().equal(x)
    assert there.to("cuda") is there and x.to("cpu") is x and x.cpu() is x and there.cuda() is there
    assert there.to("cuda", copy=True) is not there and x.to("cpu", irtool.float32, False, True) is not x
    double = x.to("cuda", irtool.float64, non_blocking=True)
    assert double.dtype is irtool.float64 and double.is_cuda and there.double().is_cuda
    assert there.to(irtool.ones(1, dtype=irtool.int64)).device.type == "cpu"
    assert there.type() == "irtool.cuda.FloatTensor"
    assert there.t().cpu().tolist() == x.t().tolist() and there[:, 1].cpu().tolist() == [1, 4]
    x[0, 0] = 7  # memory of its own
    assert there[0, 0].item() == 0


def test_gradients_come_back_to_where_their_tensors_are() -> None:
    x = irtool.ones(3, requires_grad=True)
    (x.cuda() * cuda(1.0, 2.0, 3.0)).sum().backward()
    assert x.grad is not None and x.grad.device.type == "cpu" and x.grad.tolist() == [1, 2, 3]
    y = cuda(1.0, 2.0).requires_grad_()
    y.cpu().pow(2).sum().backward()
    assert y.grad is not None and y.grad.is_cuda and y.grad.tolist() == [2, 4]


def test_values_in_python() -> None:
    x = cuda(1.0, 2.5)
    assert x.tolist() == [1, 2.5] and x[1].item() == 2.5 and float(x[0]) == 1 and bool(x.sum() > 3)
    assert repr(x) == "tensor([1.0000, 2.5000], device='cuda:0')"
    assert repr(x.double()) == "tensor([1.0000, 2.5000], device='cuda:0', dtype=irtool.float64)"
    with pytest.raises(
        TypeError,
        match=r"can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\) to copy the tensor to host",
    ):
        x.numpy()
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == [1, 2.5]


# Operations


def test_results_are_where_operands_are() -> None:
    x = cuda((1.0, -2.0, 3.0), (4.0, 5.0, -6.0))
    for y in (x + 1, 2 - x, x.relu(), x @ x.t(), x.sum(0), x[:, 1:], x.sort(1)[1]):
        assert y.is_cuda
    for y in (irtool.zeros_like(x), irtool.rand_like(x), x.new_ones(2), x.new_tensor([1]), irtool.full_like(x, 3)):
        assert y.is_cuda
    assert irtool.zeros_like(x, device="cpu").device.type == "cpu"
    made = [
        irtool.zeros,
        irtool.ones,
        irtool.empty,
        irtool.rand,
        irtool.randn,
        irtool.arange,
        irtool.eye,
        irtool.randperm,
    ]
    assert all(f(3, device="cuda").is_cuda and f(3).device.type == "cpu" for f in made)
    assert irtool.tensor([1, 2], device=x.device).is_cuda and irtool.as_tensor([1.0], device="cuda").is_cuda
    assert irtool.tensor(x).is_cuda and irtool.tensor(x, device="cpu").device.type == "cpu"
    assert irtool.full((2,), 3.0, device="cuda").tolist() == [3, 3]
    assert F.one_hot(cuda(0, 2)).is_cuda and irtool.where(x > 0, x, 0.0).is_cuda


def test_what_has_no_kernel_is_computed_on_the_host_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irtool.frontend.eager._warned", set[str]())
    x = cuda(3.0, -1.0, 3.0)
    with pytest.warns(UserWarning, match=r"unique\(\) has no kernel for a GPU") as found:
        assert x.unique().is_cuda and x.unique().tolist() == [-1, 3] and x.cpu().unique().tolist() == [-1, 3]
    assert len(found) == 1 and found[0].filename == __file__
    with pytest.warns(UserWarning, match=r"nonzero\(\) has no kernel"):
        assert x[x > 0].is_cuda and x.nonzero().is_cuda
    with pytest.warns(UserWarning, match=r"linalg.inv\(\) has no kernel"):
        assert irtool.linalg.inv(irtool.eye(2, device="cuda")).is_cuda


def test_devices_do_not_mix() -> None:
    x, y = cuda(1.0, 2.0), irtool.ones(2)
    message = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
    for f in (
        lambda: x + y,
        lambda: y * x,
        lambda: irtool.cat([x, y]),
        lambda: x.dot(y),
        lambda: irtool.where(x > 0, x, y),
    ):
        with pytest.raises(RuntimeError, match=message + r" \(at test_devices.py:"):
            f()
    with pytest.raises(RuntimeError, match=message):
        x + irtool.ones(1)
    with pytest.raises(RuntimeError, match=message):
        F.embedding(irtool.tensor([0]), irtool.ones(2, 2, device="cuda"))
    # Numbers on the CPU go along with tensors elsewhere.
    assert (x * irtool.tensor(3.0)).tolist() == [3, 6] and (irtool.tensor(3.0) - x).is_cuda
    y.copy_(x)
    x.copy_(irtool.tensor([5.0, 6.0]))
    assert y.tolist() == [1, 2] and x.tolist() == [5, 6]
    assert x[irtool.tensor([1, 0])].tolist() == [6, 5]  # as does an index


def test_writes_go_through_views() -> None:
    for step in (1, 2):
        x, expected = irtool.zeros(4, 6, device="cuda"), irtool.zeros(4, 6)
        for t in (x, expected):
            t[1:3, ::step] = 1
            t.t()[2] += 5
            t[3] = irtool.arange(6.0)
            t[:, 1].mul_(3)
            t.view(-1)[7:9].fill_(9)
            t.diagonal().sub_(1)
            t.zero_() if step == 3 else t[0].add_(0.5)
        assert x.cpu().equal(expected), x


def test_views_that_start_anywhere() -> None:
    base = irtool.arange(40.0)
    for start in (0, 1, 5, 16, 33):
        assert (base.cuda()[start : start + 3] * 2).tolist() == (base[start : start + 3] * 2).tolist()
        assert base.cuda()[start:].flip(0).tolist() == base[start:].flip(0).tolist()
    assert base.cuda().reshape(5, 8).t()[2:4, ::2].tolist() == base.reshape(5, 8).t()[2:4, ::2].tolist()
    assert base.cuda().unfold(0, 4, 3).sum(1).tolist() == base.unfold(0, 4, 3).sum(1).tolist()


def test_new_tensors_go_to_the_default_device() -> None:
    irtool.set_default_device("cuda")
    assert irtool.get_default_device() == irtool.device("cuda:0")
    layer = nn.Linear(2, 3)
    assert layer.weight.is_cuda and irtool.tensor([1.0]).is_cuda and irtool.arange(3).is_cuda
    assert layer(irtool.ones(1, 2)).is_cuda and irtool.ones(2, device="cpu").add(1).device.type == "cpu"
    irtool.set_default_device("cpu")
    with irtool.device("cuda"):
        assert irtool.zeros(2).is_cuda
        with irtool.device("cpu"):
            assert not irtool.zeros(2).is_cuda
    assert not irtool.zeros(2).is_cuda


class Square(irtool.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        assert irtool.zeros(1).device.type == "cpu"  # the user's own code has the user's own default
        return g * 2 * ctx.saved_tensors[0]


def test_functions_of_users() -> None:
    x = cuda(1.0, 3.0).requires_grad_()
    Square.apply(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2, 6]


# Random numbers


def test_each_device_has_its_sequence() -> None:
    irtool.manual_seed(3)
    first, here = irtool.randn(4, device="cuda"), irtool.randn(4)
    assert first.cpu().allclose(here)  # they begin with the same seed
    irtool.cuda.manual_seed_all(3)
    assert irtool.randn(4, device="cuda").equal(first) and not irtool.randn(4).equal(here)
    state = irtool.cuda.get_rng_state()
    again = F.dropout(irtool.ones(16, device="cuda"))
    irtool.cuda.set_rng_state(state)
    assert F.dropout(irtool.ones(16, device="cuda")).equal(again)
    g = irtool.Generator(device="cuda").manual_seed(1)
    assert g.device.type == "cuda" and irtool.rand(2, generator=g, device="cuda").is_cuda
    with irtool.random.fork_rng():
        before = irtool.rand(2, device="cuda")
    assert irtool.rand(2, device="cuda").equal(before)


# Processes


FORK = """
import os, irtool
x = irtool.ones(2).cuda()
if os.fork() == 0:
    try:
        x + 1
    except RuntimeError as error:
        assert "Cannot re-initialize CUDA in forked subprocess" in str(error), error
        irtool.manual_seed(1)  # what workers of a DataLoader do
        assert irtool.ones(2).add(1).tolist() == [2, 2]
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert x.tolist() == [1, 1]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_the_first_use_is_refused() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, env={**os.environ, "IRTOOL_CUDA": "emulated"}, timeout=60)


def test_importing_asks_for_nothing() -> None:
    program = (
        "import sys, irtool; irtool.ones(2) + 1; print([m for m in sys.modules if 'pycuda' in m or 'on_device' in m])"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]"
