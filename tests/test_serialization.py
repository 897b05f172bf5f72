"""save and load."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from safetensors.numpy import load_file, save_file


def test_the_state_of_a_module_is_an_ordinary_safetensors_file(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    irtool.save(model.state_dict(), tmp_path / "m.safetensors")
    arrays = load_file(tmp_path / "m.safetensors")
    assert set(arrays) == set(model.state_dict()) and arrays["1.num_batches_tracked"].shape == ()
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other.load_state_dict(irtool.load(tmp_path / "m.safetensors", weights_only=True, map_location="cpu"))
    assert other[0].weight.tolist() == model[0].weight.tolist()


def test_a_checkpoint_of_a_training_run(tmp_path):
    def make():
        model = nn.Linear(2, 1)
        optimizer = optim.Adam(model.parameters(), lr=0.1, amsgrad=True)
        return model, optimizer, optim.lr_scheduler.StepLR(optimizer, 2)

    def train(model, optimizer, scheduler, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (model(irtool.ones(3, 2)) ** 2).sum()
            loss.backward()
            optimizer.step()
            scheduler.step()
        return loss.item()

    first = make()
    train(*first, 3)
    state = {name: part.state_dict() for name, part in zip(("model", "optimizer", "scheduler"), first, strict=True)}
    irtool.save({**state, "epoch": 3}, tmp_path / "run.st")
    second = make()
    loaded = irtool.load(str(tmp_path / "run.st"))
    assert loaded["epoch"] == 3
    for name, part in zip(("model", "optimizer", "scheduler"), second, strict=True):
        part.load_state_dict(loaded[name])
    assert train(*first, 4) == train(*second, 4)


def test_nested_plain_values_come_back_as_they_were():
    t = irtool.arange(6).reshape(2, 3)
    value = {
        "list": [1, 2.5, None, True, "x", float("inf")],
        7: (t, t.t(), irtool.tensor(1.5, dtype=irtool.float64)),
        "empty": [{}, (), irtool.zeros(0, 2)],
        "same": OrderedDict(a=t, b=irtool.tensor([True, False])),
        (1, "k"): np.int64(3),
    }
    file = io.BytesIO()
    irtool.save(value, file)
    found = irtool.load(io.BytesIO(file.getvalue()))
    assert found["list"] == value["list"] and list(found) == list(value) and found[1, "k"] == 3
    assert [x.tolist() for x in found[7]] == [x.tolist() for x in value[7]] and found[7][2].dtype == irtool.float64
    assert found["empty"][:2] == [{}, ()] and found["empty"][2].shape == (0, 2)
    assert type(found["same"]) is OrderedDict and found["same"]["a"] is found[7][0]
    assert irtool.load(io.BytesIO(_saved(t))).tolist() == t.tolist()


def _saved(value):
    file = io.BytesIO()
    irtool.save(value, file)
    return file.getvalue()


def test_weights_in_half_precision(tmp_path):
    save_file({"h": np.array([1.5, -2], np.float16), "i": np.array([3], np.int8)}, tmp_path / "h.safetensors")
    found = irtool.load(tmp_path / "h.safetensors")
    assert (
        found["h"].dtype == irtool.float32 and found["h"].tolist() == [1.5, -2.0] and found["i"].dtype == irtool.int32
    )
    header = b'{"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    header += b" " * (-len(header) % 8)
    data = len(header).to_bytes(8, "little") + header + np.array([1.5, -3], np.float32).view(np.uint16)[1::2].tobytes()
    assert irtool.load(io.BytesIO(data))["b"].tolist() == [1.5, -3.0]


def test_other_formats_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"PK\x03\x04 archive/data.pkl")
    with pytest.raises(ValueError, match=r"model.pt is a zip archive.*save_file\(torch.load\(.*at test_serialization"):
        irtool.load(path)
    with pytest.raises(ValueError, match="is a pickle"):
        irtool.load(io.BytesIO(pickle.dumps({"a": 1})))
    with pytest.raises(ValueError, match="npz"):
        file = io.BytesIO()
        np.savez(file, a=np.ones(1))
        irtool.load(io.BytesIO(file.getvalue()))
    for data in (b"", b"hello world, hello", _saved({"a": irtool.ones(3)})[:-4]):
        with pytest.raises(ValueError, match="not a safetensors file, or a damaged one"):
            irtool.load(io.BytesIO(data))
    with pytest.raises(ValueError, match="damaged"):
        irtool.load(io.BytesIO(_saved([1, irtool.ones(1)]).replace(b'\\"list\\"', b'\\"lisp\\"')))
    with pytest.raises(FileNotFoundError):
        irtool.load(tmp_path / "nowhere")
    with pytest.raises(TypeError, match=r"model is a Linear;.*state_dict\(\) instead"):
        irtool.save({"model": nn.Linear(1, 1)}, tmp_path / "x")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_tied_weights_as_safetensors_torch_saves_them(tmp_path):
    """`save_model` writes a shared tensor once, and notes its other names."""
    weight = np.arange(6, dtype=np.float32).reshape(3, 2)
    save_file({"0.weight": weight}, tmp_path / "m.safetensors", {"format": "pt", "1.weight": "0.weight"})
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    model[1].weight = model[0].weight
    model.load_state_dict(irtool.load(tmp_path / "m.safetensors"))
    assert model[1].weight is model[0].weight and model[1].weight.tolist() == weight.tolist()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/m.pt'$"):
        irtool.save({"a": irtool.ones(1)}, tmp_path / "nowhere" / "m.pt")
