"""Readers of published formats, on small files made in these formats."""

from __future__ import annotations

import gzip
import struct

import irtool
import numpy as np
import pytest
from irtool.utils.data import DataLoader, Subset
from irtool.utils.data.datasets import CIFAR10, IMDB, MNIST, FashionMNIST, TextFolder, read_idx


def idx(array):
    code = {np.uint8: 8, np.int16: 11, np.int32: 12, np.float32: 13, np.float64: 14}[array.dtype.type]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write_mnist(folder, part="train", count=5, pack=False):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28), np.uint8)
    labels = random.integers(0, 10, count).astype(np.uint8)
    for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
        data = gzip.compress(idx(array), mtime=0) if pack else idx(array)
        (folder / (f"{name}.gz" if pack else name)).write_bytes(data)
    return images, labels


@pytest.mark.parametrize("folder, pack", [("", False), ("MNIST/raw", True)])
def test_mnist(tmp_path, folder, pack):
    images, labels = write_mnist(tmp_path / folder, pack=pack)
    data = MNIST(tmp_path)
    assert len(data) == 5 and data.data.dtype == irtool.uint8 and data.targets.tolist() == labels.tolist()
    image, label = data[3]
    assert image.shape == (1, 28, 28) and label == labels[3]
    np.testing.assert_array_equal(image.numpy()[0], images[3].astype(np.float32) / 255)
    for source in (data, Subset(data, [4, 0])):
        x, y = next(iter(DataLoader(source, batch_size=2)))
        slow, again = next(iter(DataLoader([source[0], source[1]], batch_size=2)))
        assert x.shape == (2, 1, 28, 28) and y.dtype == irtool.int64
        assert x.tolist() == slow.tolist() and y.tolist() == again.tolist()
    changed = MNIST(tmp_path, transform=lambda x: x * 0, target_transform=str)
    assert changed[0][0].sum().item() == 0 and changed[0][1] == str(labels[0])
    with pytest.raises(FileNotFoundError, match=r"no t10k-images-idx3-ubyte in .*irtool downloads nothing"):
        MNIST(tmp_path, train=False)


def test_fashion_mnist(tmp_path):
    write_mnist(tmp_path / "FashionMNIST" / "raw", "t10k")
    assert len(FashionMNIST(tmp_path, train=False)) == 5 and FashionMNIST.classes[9] == "Ankle boot"


def test_idx_types(tmp_path):
    for array in (np.array([[1, -2]], np.int16), np.array([1.5, 2], np.float64), np.zeros((0, 3), np.int32)):
        (tmp_path / "a").write_bytes(idx(array))
        assert read_idx(tmp_path / "a").tolist() == array.tolist()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "expected an IDX file"),
        (b"PK\3\4", "expected an IDX file"),
        (b"\0\0\x08\x03\0\0", "3 dimensions in its header"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], r"expected 6 bytes for shape \[2, 3\], got 5"),
        (gzip.compress(idx(np.zeros(3, np.uint8)), mtime=0)[:-9], "gzip data are damaged"),
    ],
)
def test_malformed_idx(tmp_path, data, message):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=f"a: .*{message}.*test_datasets.py"):
        read_idx(tmp_path / "a")


def test_mnist_that_does_not_fit(tmp_path):
    write_mnist(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(ValueError, match="5 images but 4 labels"):
        MNIST(tmp_path)
    labels.write_bytes(idx(np.full(5, 10, np.uint8)))
    with pytest.raises(ValueError, match="labels below 10, got 10"):
        MNIST(tmp_path)
    labels.write_bytes(idx(np.zeros((5, 1), np.uint8)))
    with pytest.raises(ValueError, match="bytes with 1 dimensions"):
        MNIST(tmp_path)


def test_cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (10, CIFAR10.RECORD), np.uint8)
    records[:, 0] = range(10)
    for k in range(5):
        (folder / f"data_batch_{k + 1}.bin").write_bytes(records[2 * k : 2 * k + 2].tobytes())
    data = CIFAR10(tmp_path)
    image, label = data[7]
    assert len(data) == 10 and label == 7 and image.shape == (3, 32, 32) and data.class_to_idx["horse"] == 7
    np.testing.assert_array_equal(image.numpy().ravel(), records[7, 1:].astype(np.float32) / 255)
    (folder / "data_batch_3.bin").write_bytes(records.tobytes()[:-1])
    with pytest.raises(ValueError, match=r"data_batch_3.bin: expected records of 3073 bytes"):
        CIFAR10(tmp_path)
    (folder / "data_batch_3.bin").write_bytes(b"\x0a" + records.tobytes()[1:])
    with pytest.raises(ValueError, match="classes below 10, got 10"):
        CIFAR10(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no test_batch\.bin"):
        CIFAR10(tmp_path, train=False)


def test_imdb(tmp_path):
    for name, text in (("pos/0_9.txt", "Lovely <br />"), ("neg/0_2.txt", "Bäd"), ("neg/1_1.txt", "worse")):
        path = tmp_path / "aclImdb" / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "aclImdb" / "train" / "unsup").mkdir()
    data = IMDB(tmp_path, transform=str.lower)
    assert [data[i] for i in range(len(data))] == [("bäd", 0), ("worse", 0), ("lovely <br />", 1)]
    texts, labels = next(iter(DataLoader(data, batch_size=3)))
    assert texts[0] == "bäd" and labels.tolist() == [0, 0, 1]
    (tmp_path / "aclImdb/train/pos/0_9.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"0_9\.txt: expected UTF-8"):
        data[2]
    with pytest.raises(FileNotFoundError, match="text files in unsup"):
        TextFolder(tmp_path / "aclImdb" / "train")
    with pytest.raises(FileNotFoundError, match="no test in"):
        IMDB(tmp_path, "test")
    with pytest.raises(ValueError, match="'train' or 'test'"):
        IMDB(tmp_path, "dev")
