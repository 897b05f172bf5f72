"""Datasets in the formats that they are published in, read from a local folder; nothing is downloaded.

MNIST(root)       root[/MNIST/raw]/train-images-idx3-ubyte[.gz] ...        IDX
CIFAR10(root)     root[/cifar-10-batches-bin]/data_batch_1.bin ...         the binary version
IMDB(root)        root[/aclImdb]/train/pos/0_9.txt ...                     a text file for each example
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...creation import from_array
from ...errors import located
from ...tensor import Tensor
from .dataset import Dataset

Transform = Callable[[Any], Any]

IDX_TYPES: dict[int, str] = {0x08: "u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""What the third byte of an IDX file says of its elements."""

WIDER: dict[str, str] = {"i1": "i4", "i2": "i4"}
"""Element types that tensors have only wider."""


def read_idx(path: str | os.PathLike[str]) -> Tensor:
    """The tensor in an IDX file, the format of MNIST: plain or .gz. Raises ValueError if it is malformed."""
    name = os.fspath(path)
    data = _bytes(Path(name))
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES:
        raise _malformed(
            name, f"expected an IDX file, which starts with 00 00 and a type code, got {data[:4].hex(' ')!r}"
        )
    kind = np.dtype(IDX_TYPES[data[2]])
    rank = data[3]
    start = 4 + 4 * rank
    if len(data) < start:
        raise _malformed(name, f"expected {rank} dimensions in its header, got {len(data)} bytes in all")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, 4))
    expected = math.prod(shape) * kind.itemsize
    if len(data) - start != expected:
        raise _malformed(name, f"expected {expected} bytes for shape {list(shape)}, got {len(data) - start}")
    array = np.frombuffer(data, kind, offset=start).reshape(shape)
    native = array.dtype.newbyteorder("=")
    return from_array(array.astype(WIDER.get(native.str[1:], native)))


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise _malformed(str(path), f"the gzip data are damaged: {error}") from None


def _malformed(name: str, reason: str) -> ValueError:
    return located(ValueError, f"{name}: {reason}")


def _found(root: str | os.PathLike[str], folders: Sequence[str], names: Sequence[str], what: str) -> Path:
    """The first of some files that is in one of the folders below the root."""
    for folder in folders:
        for name in names:
            path = Path(root) / folder / name
            if path.exists():
                return path
    looked = ", ".join(str(Path(root) / folder) for folder in folders)
    raise located(
        FileNotFoundError,
        f"{what}: there is no {names[0]} in {looked}; irtool downloads nothing: put the published files there",
    )


class ImageDataset(Dataset[Any]):
    """Images and their classes: `data` is uint8, `targets` int64. An example is (image, class), the image a float32
    tensor [channels, height, width] from 0 to 1, and the class a number; the transforms get these."""

    classes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, data: Tensor, targets: Tensor, transform: Transform | None, target_transform: Transform | None
    ) -> None:
        self.data = data
        self.targets = targets
        self.transform = transform
        self.target_transform = target_transform
        array = data.numpy()
        self._images = array[:, None] if array.ndim == 3 else array
        self._labels = targets.numpy()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = from_array(self._images[index].astype(np.float32) / np.float32(255))
        target: Any = int(self._labels[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    _item = __getitem__

    def _collated(self, indices: Sequence[int]) -> list[Tensor] | None:
        """What collating these examples gives, without making the examples."""
        if self.transform is not None or self.target_transform is not None:
            return None
        rows = np.asarray(indices, np.int64)
        return [from_array(self._images[rows].astype(np.float32) / np.float32(255)), from_array(self._labels[rows])]


class MNIST(ImageDataset):
    """Handwritten digits: 60,000 (or 10,000 with train=False) images of 28 x 28."""

    classes = tuple("0123456789")

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        name, part = type(self).__name__, "train" if train else "t10k"
        folders = ("", f"{name}/raw", name, "raw")
        read: list[Tensor] = []
        for stem, rank in ((f"{part}-images-idx3-ubyte", 3), (f"{part}-labels-idx1-ubyte", 1)):
            dotted = stem.replace("-idx", ".idx")
            path = _found(root, folders, (stem, f"{stem}.gz", dotted, f"{dotted}.gz"), name)
            read.append(read_idx(path))
            if read[-1].ndim != rank or read[-1].numpy().dtype != np.uint8:
                raise _malformed(str(path), f"expected bytes with {rank} dimensions, got {read[-1]._spec}")
        images, labels = read
        if len(images) != len(labels):
            raise _malformed(os.fspath(root), f"there are {len(images)} images but {len(labels)} labels")
        if len(labels) and int(labels.numpy().max()) >= len(self.classes):
            raise _malformed(os.fspath(root), f"expected labels below {len(self.classes)}, got {labels.numpy().max()}")
        super().__init__(images, labels.long(), transform, target_transform)


class FashionMNIST(MNIST):
    """Pictures of clothes, in the format of MNIST."""

    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


class CIFAR10(ImageDataset):
    """Small photographs in ten classes: 50,000 (or 10,000 with train=False) images of 3 x 32 x 32."""

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    RECORD = 1 + 3 * 32 * 32
    """Bytes: the class, then the red, green and blue planes."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        names = [f"data_batch_{k}.bin" for k in range(1, 6)] if train else ["test_batch.bin"]
        folders = ("", "cifar-10-batches-bin")
        parts: list[np.ndarray[Any, Any]] = []
        for name in names:
            path = _found(root, folders, (name, f"{name}.gz"), "CIFAR10 (the binary version)")
            data = _bytes(path)
            if not data or len(data) % self.RECORD:
                raise _malformed(str(path), f"expected records of {self.RECORD} bytes, got {len(data)} bytes in all")
            records = np.frombuffer(data, np.uint8).reshape(-1, self.RECORD)
            if records[:, 0].max() >= len(self.classes):
                raise _malformed(str(path), f"expected classes below {len(self.classes)}, got {records[:, 0].max()}")
            parts.append(records)
        records = np.concatenate(parts)
        images = from_array(records[:, 1:].reshape(-1, 3, 32, 32))
        super().__init__(images, from_array(records[:, 0].astype(np.int64)), transform, target_transform)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: k for k, name in enumerate(self.classes)}


class TextFolder(Dataset[Any]):
    """Text files in one folder a class: an example is (text, class). Files are read when asked for, as UTF-8."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        classes: Sequence[str] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise located(FileNotFoundError, f"{folder} is not a folder")
        found = tuple(classes) if classes is not None else tuple(sorted(p.name for p in folder.iterdir() if p.is_dir()))
        self.classes = found
        self.transform = transform
        self.target_transform = target_transform
        self.samples: list[tuple[str, int]] = []
        """(path, class), by class and name."""
        for number, name in enumerate(found):
            files = sorted((folder / name).glob("*.txt"))
            if not files:
                raise located(FileNotFoundError, f"{folder}: expected text files in {name}{os.sep}, found none")
            self.samples += [(str(path), number) for path in files]
        if not found:
            raise located(FileNotFoundError, f"{folder}: expected a folder for each class, found none")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        try:
            text: Any = Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed(path, f"expected UTF-8 text: {error}") from None
        if self.transform is not None:
            text = self.transform(text)
        return text, target if self.target_transform is None else self.target_transform(target)


class IMDB(TextFolder):
    """Film reviews: class 0 is negative, 1 positive."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        if split not in ("train", "test"):
            raise located(ValueError, f"IMDB: expected split 'train' or 'test', got {split!r}")
        folder = _found(root, ("", "aclImdb"), (split,), "IMDB")
        super().__init__(folder, ("neg", "pos"), transform, target_transform)


__all__ = ["CIFAR10", "IMDB", "MNIST", "FashionMNIST", "ImageDataset", "TextFolder", "read_idx"]
