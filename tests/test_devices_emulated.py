"""Tensors on the emulated device with its own programs: what the target `cuda-emulated` makes of ops and of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import irtool
import pytest
from irtool import Tensor, nn
from irtool.frontend import devices

F: Any = nn.functional


@pytest.fixture(autouse=True)
def emulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("IRTOOL_CUDA", "emulated")
    monkeypatch.setattr(devices.use, "elsewhere", True)
    yield


def test_eager_ops_and_views() -> None:
    here = irtool.arange(12.0).reshape(3, 4)
    there = here.cuda()
    for x in (here, there):
        x[1:, ::2] = -x[1:, ::2]
        x.t()[1] += 0.5
        x[0] = 2
    assert there.cpu().equal(here)
    assert (there @ there.t() + 1).cpu().allclose(here @ here.t() + 1)
    assert there.softmax(1).cpu().allclose(here.softmax(1), atol=1e-6)


def losses(device: str, compiled: bool) -> list[float]:
    irtool.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)).to(device)
    optimizer = irtool.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = irtool.randn(4, 6).to(device), irtool.randint(0, 3, (4,)).to(device)
    irtool.manual_seed(1)
    run = irtool.compile(step) if compiled else step
    return [run(x, y).item() for _ in range(3)]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_training(compiled: bool) -> None:
    assert losses("cuda", compiled) == pytest.approx(losses("cpu", False), rel=1e-4)


def test_a_failed_step_writes_nothing() -> None:
    table = nn.Embedding(4, 2).cuda()

    @irtool.compile
    def step(i: Tensor) -> Tensor:
        rows = table(i)
        with irtool.no_grad():
            table.weight.mul_(2)
        return rows

    before = table.weight.detach().clone()
    rows = step(irtool.tensor([1, 7]).cuda())
    with pytest.raises(IndexError, match=r"index out of range in self \(at test_devices_emulated.py:"):
        rows.tolist()
    assert table.weight.equal(before)
    assert "gpu.launch_func" in step.ir("gpu")  # the target is that of the tensors
