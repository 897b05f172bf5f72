"""Training on a device: modules, optimizers, files and compiled functions."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import irtool
import pytest
from irtool import Tensor, nn
from irtool.frontend import devices, generator

F: Any = nn.functional

pytestmark = pytest.mark.usefixtures("emulated_gpu")


def cuda(*rows: Any) -> Tensor:
    return irtool.tensor(rows, device="cuda")


# Modules, optimizers, files


def network() -> nn.Sequential:
    irtool.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 3))


def losses(device: str, compiled: bool, inside: bool = False, **options: Any) -> list[float]:
    """A few training steps; with `inside`, each moves its own data."""
    model = network().to(device)
    optimizer = irtool.optim.AdamW(model.parameters(), lr=0.01)

    def step(x: Tensor, y: Tensor) -> Tensor:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = irtool.compile(step, **options) if compiled else step
    xs, ys = irtool.randn(4, 6, 4), irtool.randint(0, 3, (4, 6))
    irtool.manual_seed(1)
    found: list[float] = []
    for x, y in zip(xs, ys):
        loss = run(x, y) if inside else run(x.to(device), y.to(device))
        assert loss.device == irtool.ones(1, device=device).device
        found.append(loss.item())
    assert all(state["exp_avg"].device == loss.device for state in optimizer.state.values())
    return found


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_training_there_is_training_here(compiled: bool) -> None:
    here = losses("cpu", compiled, target="reference")
    assert losses("cuda", compiled) == pytest.approx(here, rel=1e-5)


def test_a_compiled_step_moves_its_data() -> None:
    assert losses("cuda", True, inside=True) == pytest.approx(losses("cuda", False), rel=1e-5)


def test_a_trace_may_be_the_first_to_draw_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(run: Any) -> list[Any]:
        monkeypatch.setattr(generator._Sequences, "generators", {})
        irtool.manual_seed(3)
        return [run(irtool.ones(16, device="cuda")).tolist() for _ in range(3)]

    def drop(x: Tensor) -> Tensor:
        return F.dropout(x, 0.5)

    eager = drawn(drop)
    assert drawn(irtool.compile(drop)) == eager and eager[0] != eager[1]


def test_modules_move_with_their_gradients_and_buffers() -> None:
    model = network()
    model(irtool.ones(2, 4)).sum().backward()
    weight = model[0].weight
    assert model.cuda() is model and model[0].weight is weight and weight.is_cuda and weight.grad.is_cuda
    assert model[1].num_batches_tracked.is_cuda and model[1].running_mean.is_cuda
    state = model.state_dict()
    assert all(t.is_cuda for t in state.values())
    other = network()
    other.load_state_dict(state)
    assert not other[0].weight.is_cuda and other[0].weight.equal(weight.cpu())
    assert not any(t.is_cuda for t in model.cpu().state_dict().values())
    model.to(irtool.ones(1, dtype=irtool.float64, device="cuda"))
    assert weight.dtype is irtool.float64 and weight.is_cuda and model[1].num_batches_tracked.is_cuda
    assert nn.Linear(2, 2, device="cuda").bias.is_cuda


def test_optimizers_load_state_to_their_parameters() -> None:
    model = nn.Linear(2, 1)
    optimizer = irtool.optim.Adam(model.parameters())
    model(irtool.ones(1, 2)).sum().backward()
    optimizer.step()
    there = nn.Linear(2, 1).cuda()
    other = irtool.optim.Adam(there.parameters())
    other.load_state_dict(optimizer.state_dict())
    assert all(s["exp_avg"].is_cuda and not s["step"].is_cuda for s in other.state.values())
    there(irtool.ones(1, 2, device="cuda")).sum().backward()
    other.step()


@pytest.mark.parametrize("nested", [False, True])
def test_files_remember_devices(nested: bool) -> None:
    state: Any = {"a": cuda(1.0, 2.0), "b": irtool.ones(2)}
    file = io.BytesIO()
    irtool.save({"model": state, "epoch": 1} if nested else state, file)

    def load(location: Any = None) -> dict[str, Tensor]:
        file.seek(0)
        found = irtool.load(file, map_location=location)
        return found["model"] if nested else found

    assert load()["a"].is_cuda and not load()["b"].is_cuda and load()["a"].equal(state["a"])
    assert not load("cpu")["a"].is_cuda and load(irtool.device("cuda"))["b"].is_cuda
    assert not load({"cuda:0": "cpu"})["a"].is_cuda and not load(lambda storage, location: storage)["a"].is_cuda


def test_files_of_a_gpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    irtool.save({"a": cuda(1.0)}, file)
    file.seek(0)
    monkeypatch.setattr(devices, "missing", lambda: "no driver")
    with pytest.raises(RuntimeError, match=r"deserialize object on a CUDA device.*map_location=irtool.device\('cpu'\)"):
        irtool.load(file)
    file.seek(0)
    assert irtool.load(file, map_location="cpu")["a"].tolist() == [1]


def test_copies_of_objects() -> None:
    x = cuda(1.0, 2.0)
    assert copy.deepcopy(x).is_cuda and pickle.loads(pickle.dumps(x)).is_cuda and x.clone().is_cuda
    assert x.clone().data_ptr() != x.data_ptr() == x.detach().data_ptr()


def test_pinned_batches() -> None:
    data = irtool.utils.data.TensorDataset(irtool.arange(6.0), irtool.arange(6))
    for x, y in irtool.utils.data.DataLoader(data, batch_size=3, pin_memory=True):
        assert x.is_pinned() and y.is_pinned() and x.to("cuda", non_blocking=True).is_cuda
    assert not irtool.ones(1).is_pinned() and irtool.ones(1).pin_memory().is_pinned()
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        cuda(1.0).pin_memory()


# Compiled functions


def test_a_compiled_function_runs_where_its_tensors_are() -> None:
    @irtool.compile
    def f(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x * 2 + irtool.arange(2.0, device=x.device), x.cpu(), irtool.zeros(2)

    y, on_cpu, zeros = f(cuda(1.0, 2.0))
    assert y.is_cuda and y.tolist() == [2, 5] and not on_cpu.is_cuda and on_cpu.tolist() == [1, 2]
    assert not zeros.is_cuda and zeros.tolist() == [0, 0]

    @irtool.compile
    def mixed(x: Tensor, y: Tensor) -> Tensor:
        return x + y

    with pytest.raises(
        RuntimeError, match=r"found at least two devices, cuda:0 and cpu! \(at test_devices_training.py:"
    ):
        mixed(cuda(1.0, 2.0), irtool.ones(2))
    assert mixed(cuda(1.0), irtool.tensor(2.0)).tolist() == [3]


def test_errors_of_a_program_wait_for_whoever_looks() -> None:
    table = nn.Embedding(4, 2).cuda()
    optimizer = irtool.optim.SGD(table.parameters(), lr=1.0)

    @irtool.compile
    def step(i: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = table(i).sum()
        loss.backward()
        optimizer.step()
        return loss

    step(cuda(0, 1))
    before = table.weight.detach().clone()
    loss = step(cuda(0, 9))
    with pytest.raises(IndexError, match=r"index out of range in self \(at test_devices_training.py:"):
        loss.item()
    assert table.weight.equal(before)  # nothing was written
    step(cuda(0, 9))
    with pytest.raises(IndexError, match="index out of range in self"):
        step(cuda(0, 1))
    assert table.weight.equal(before)
    step(cuda(0, 9))
    with pytest.raises(IndexError):
        irtool.cuda.synchronize()
    step(cuda(0, 1))
    assert not table.weight.equal(before)


def test_gradients_of_compiled_outputs() -> None:
    w = cuda(2.0, 3.0).requires_grad_()
    f = irtool.compile(lambda x: (x * w).sum())
    x = irtool.ones(2, requires_grad=True)
    f(x.cuda()).backward()
    assert w.grad is not None and w.grad.is_cuda and x.grad is not None and x.grad.tolist() == [2, 3]


def trained_on_the_cpu(compiled: bool) -> list[float]:
    """Steps that move their parameter to the device."""
    w = nn.Parameter(irtool.ones(2))
    optimizer = irtool.optim.Adam([w], lr=0.1)

    def step(x: Tensor) -> Tensor:
        loss = (w.to(x.device) * x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    run = irtool.compile(step) if compiled else step
    assert all(run(cuda(1.0, 2.0)).is_cuda for _ in range(2))
    assert w.grad is not None and not w.is_cuda and not w.grad.is_cuda
    return [*w.tolist(), *w.grad.tolist()]


def test_parameters_on_the_cpu_that_a_compiled_step_moves() -> None:
    assert trained_on_the_cpu(True) == pytest.approx(trained_on_the_cpu(False), rel=1e-5)


@pytest.mark.parametrize("name", ["zeros", "arange"])
def test_constants_of_another_device_in_a_compiled_function(name: str) -> None:
    with pytest.raises(RuntimeError, match="found at least two devices, cuda:0 and cpu!"):
        irtool.compile(lambda x: x + getattr(irtool, name)(2))(cuda(1.0, 2.0))
    f = irtool.compile(lambda x: x.clamp(min=2) * irtool.tensor(3.0) + 1)
    assert f(cuda(1.0, 4.0)).tolist() == [7, 13]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_packed_sequences(compiled: bool) -> None:
    def f(x: Tensor) -> tuple[Tensor, Tensor]:
        packed = nn.utils.rnn.pack_padded_sequence(x, [2, 3], enforce_sorted=False)
        output, (hidden, _) = lstm(packed)
        return nn.utils.rnn.pad_packed_sequence(output)[0], hidden

    irtool.manual_seed(0)
    lstm, x = nn.LSTM(2, 3), irtool.randn(3, 2, 2)
    here = f(x)
    lstm.cuda()
    for a, b in zip((irtool.compile(f) if compiled else f)(x.cuda()), here):
        assert a.is_cuda and a.cpu().allclose(b, atol=1e-5)
