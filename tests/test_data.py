"""Datasets, samplers, collation and loaders."""

from __future__ import annotations

import os
import random
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

Point = namedtuple("Point", "x y")


class Squares(Dataset[tuple[float, int]]):
    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[float, int]:
        if index >= self.size:
            raise IndexError(index)
        return float(index**2), index


class Stream(IterableDataset[int]):
    """0 to 9, shared among workers."""

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        yield from range(10) if info is None else range(info.id, 10, info.num_workers)


def dataset(n: int = 10) -> TensorDataset:
    return TensorDataset(irtool.arange(n * 3).reshape(n, 3).float(), irtool.arange(n))


def test_a_tensor_dataset() -> None:
    data = dataset()
    x, y = data[2]
    assert x.tolist() == [6.0, 7.0, 8.0]
    assert y.item() == 2
    assert len(data) == 10
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(irtool.zeros(2), irtool.zeros(3))


def test_batches_in_order() -> None:
    batches = list(DataLoader(dataset(), batch_size=4))
    assert [len(y) for _, y in batches] == [4, 4, 2]
    assert isinstance(batches[0], list)
    assert batches[2][0].tolist() == [[24.0, 25.0, 26.0], [27.0, 28.0, 29.0]]
    assert batches[0][1].dtype == irtool.int64
    loader = DataLoader(dataset(), batch_size=4, drop_last=True)
    assert len(loader) == len(list(loader)) == 2
    assert len(DataLoader(dataset(), batch_size=4)) == 3
    # A batch is a copy.
    batches[0][1].fill_(0)
    assert dataset()[3][1].item() == 3


def test_shuffled_batches_hold_everything_once_and_repeat_with_the_seed() -> None:
    irtool.manual_seed(3)
    loader = DataLoader(dataset(), batch_size=3, shuffle=True)
    first = [y for _, batch in loader for y in batch.tolist()]
    second = [y for _, batch in loader for y in batch.tolist()]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    irtool.manual_seed(3)
    assert [y for _, batch in loader for y in batch.tolist()] == first
    generator = irtool.Generator().manual_seed(5)
    own = [y for _, b in DataLoader(dataset(), shuffle=True, generator=generator) for y in b.tolist()]
    generator.manual_seed(5)
    assert [y for _, b in DataLoader(dataset(), shuffle=True, generator=generator) for y in b.tolist()] == own


def test_the_fast_path_gives_what_collating_gives() -> None:
    data = Subset(dataset(), [7, 1, 4])
    fast = list(DataLoader(data, batch_size=2))
    slow = list(DataLoader(data, batch_size=2, collate_fn=lambda batch: default_collate(batch)))
    for a, b in zip(fast, slow, strict=True):
        assert [t.tolist() for t in a] == [t.tolist() for t in b]
        assert [t.dtype for t in a] == [t.dtype for t in b]


def test_own_datasets_and_collation() -> None:
    squares, index = next(iter(DataLoader(Squares(), batch_size=3)))
    assert squares.dtype == irtool.float64
    assert squares.tolist() == [0.0, 1.0, 4.0]
    assert index.tolist() == [0, 1, 2]
    assert list(DataLoader(Squares(3), batch_size=2, collate_fn=len)) == [2, 1]
    assert list(DataLoader(Squares(2), batch_size=None)) == [[0.0, 0], [1.0, 1]]
    sampled = DataLoader(Squares(), batch_sampler=[[1, 2], [9]])
    assert [i.tolist() for _, i in sampled] == [[1, 2], [9]]
    assert len(sampled) == 2
    ordered = DataLoader(Squares(), batch_size=2, sampler=[5, 3, 1])
    assert [i.tolist() for _, i in ordered] == [[5, 3], [1]]


def test_default_collate() -> None:
    batch = [
        {"a": irtool.tensor([1.0]), "b": (1, "x"), "c": np.float32(2), "d": np.ones(2, np.int64), "e": Point(1, 2.0)},
        {"a": irtool.tensor([2.0]), "b": (3, "y"), "c": np.float32(4), "d": np.zeros(2, np.int64), "e": Point(3, 4.0)},
    ]
    out = default_collate(batch)
    assert out["a"].tolist() == [[1.0], [2.0]]
    assert out["b"][0].tolist() == [1, 3]
    assert out["b"][1] == ["x", "y"]
    assert out["c"].dtype == irtool.float32
    assert out["d"].tolist() == [[1, 1], [0, 0]]
    assert isinstance(out["e"], Point)
    assert out["e"].y.dtype == irtool.float64
    assert default_collate([True, False]).dtype == irtool.bool
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="default_collate: batch must contain tensors, numpy arrays, numbers"):
        default_collate([object()])
    assert default_convert(np.ones(2, np.float32)).tolist() == [1.0, 1.0]


def test_combined_datasets() -> None:
    joined = ConcatDataset([Squares(2), Squares(3)])
    assert len(joined) == 5
    assert [joined[i][1] for i in range(-5, 5)] == [0, 1, 0, 1, 2] * 2
    assert len(Squares(2) + Squares(1)) == 3
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        joined[5]
    assert list(ChainDataset([Stream(), Stream()])) == [*range(10), *range(10)]
    assert StackDataset(Squares(2), Squares(2))[1] == ((1.0, 1), (1.0, 1))
    assert StackDataset(a=Squares(2))[0] == {"a": (0.0, 0)}


def test_random_split() -> None:
    parts = random_split(dataset(), [7, 3], generator=irtool.Generator().manual_seed(0))
    assert [len(p) for p in parts] == [7, 3]
    assert sorted(p[i][1].item() for p in parts for i in range(len(p))) == list(range(10))
    assert [len(p) for p in random_split(Squares(11), [0.5, 0.3, 0.2])] == [6, 3, 2]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset"):
        random_split(Squares(3), [1, 1])


def test_samplers() -> None:
    data = Squares(5)
    assert list(SequentialSampler(data)) == [0, 1, 2, 3, 4]
    assert sorted(RandomSampler(data)) == [0, 1, 2, 3, 4]
    assert len(list(RandomSampler(data, num_samples=12))) == 12
    assert set(RandomSampler(data, replacement=True, num_samples=20)) <= set(range(5))
    assert sorted(SubsetRandomSampler([3, 1])) == [1, 3]
    assert set(WeightedRandomSampler([0.0, 1.0, 1.0], 50)) == {1, 2}
    assert sorted(WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    assert list(BatchSampler(SequentialSampler(data), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(SequentialSampler(data), 2, True)) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="batch_size should be a positive integer value, but got batch_size=0"):
        DataLoader(data, batch_size=0)


def test_streams() -> None:
    loader = DataLoader(Stream(), batch_size=4)
    assert [b.tolist() for b in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(list(DataLoader(Stream(), batch_size=4, drop_last=True))) == 2
    with pytest.raises(ValueError, match="DataLoader with IterableDataset: expected unspecified shuffle option"):
        DataLoader(Stream(), shuffle=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": [1], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(), **options)


# Worker processes


class Pids(Squares):
    def __getitem__(self, index: int) -> Any:
        return os.getpid(), index


class Failing(Squares):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise KeyError("five")
        if index == 7:
            os._exit(3)
        return index


def test_workers_give_the_same_batches_in_order() -> None:
    loader = DataLoader(dataset(37), batch_size=4, num_workers=2)
    for _ in range(2):
        assert [y.tolist() for _, y in loader] == [y.tolist() for _, y in DataLoader(dataset(37), batch_size=4)]
    batches = list(DataLoader(Pids(), batch_size=2, num_workers=2))
    pids = {int(p) for b in batches for p in b[0].tolist()}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_workers_share_a_stream() -> None:
    loader = DataLoader(Stream(), batch_size=2, num_workers=3)
    assert sorted(i for batch in loader for i in batch.tolist()) == list(range(10))


def test_a_worker_that_raises_or_dies_is_reported() -> None:
    iterator = iter(DataLoader(Failing(6), batch_size=3, num_workers=2))
    assert next(iterator).tolist() == [0, 1, 2]
    with pytest.raises(KeyError, match=r"^Caught KeyError in DataLoader worker process 1\.\nOriginal Traceback"):
        next(iterator)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid \d+\) exited unexpectedly with code 3"):
        list(DataLoader(Failing(10), batch_sampler=[[7], [7]], num_workers=1))


class Unsendable(Squares):
    """Errors and examples that no other process can be sent."""

    def __getitem__(self, index: int) -> Any:
        class Odd(Exception):
            pass

        if index == 1:
            raise Odd("of a class of its own")
        return lambda: index


@pytest.mark.parametrize("index, message", [(0, "Can't pickle|Can't get"), (1, "Odd: of a class of its own")])
def test_what_cannot_be_sent_is_reported(index: int, message: str) -> None:
    with pytest.raises(RuntimeError, match=rf"(?s)in DataLoader worker process 0.*({message})"):
        list(DataLoader(Unsendable(2), batch_size=None, sampler=[index], num_workers=1))


class Noisy(Squares):
    def __getitem__(self, index: int) -> Any:
        return irtool.rand(1).item() + random.random()


def test_random_numbers_of_workers_are_repeatable() -> None:
    def epoch() -> list[float]:
        return [b.item() for b in DataLoader(Noisy(4), num_workers=2)]

    irtool.manual_seed(3)
    first, second = epoch(), epoch()
    irtool.manual_seed(3)
    assert epoch() == first and second != first and len(set(first)) == 4


def test_leaving_early_ends_the_workers() -> None:
    for batch in DataLoader(Squares(1000), batch_size=1, num_workers=2):
        assert len(batch) == 2
        break


def test_workers_are_initialized() -> None:
    seen: list[int] = []

    class Seen(Squares):
        def __getitem__(self, index: int) -> int:
            return len(seen)

    loader = DataLoader(Seen(4), batch_size=2, num_workers=2, worker_init_fn=seen.append)
    assert [b.tolist() for b in loader] == [[1, 1], [1, 1]]
    assert seen == []
    assert get_worker_info() is None


def test_large_tasks_and_results_do_not_block() -> None:
    class Wide(Dataset[Any]):
        def __len__(self) -> int:
            return 4

        def __getitems__(self, indices: list[int]) -> list[Any]:
            return [np.zeros(300_000, np.float32)] * 2

    tasks = [list(range(100_000))] * 6
    loader = DataLoader(Wide(), batch_sampler=tasks, num_workers=1, prefetch_factor=3)
    assert [tuple(b.shape) for b in loader] == [(2, 300_000)] * 6


def test_a_loader_keeps_what_it_was_made_with() -> None:
    loader = DataLoader([1, 2, 3], batch_size=2)
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 3
    with pytest.raises(ValueError, match="persistent_workers option needs num_workers > 0"):
        DataLoader([1], persistent_workers=True)
    with pytest.raises(ValueError, match="1d sequence but given weights have shape"):
        WeightedRandomSampler([[1.0, 2.0]], 2)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="got num_samples=0"):
        DataLoader([], shuffle=True)


def test_distributed_sampler() -> None:
    def parts(**options: Any) -> list[list[int]]:
        return [list(DistributedSampler(range(10), num_replicas=3, rank=r, **options)) for r in range(3)]

    assert parts(shuffle=False) == [[0, 3, 6, 9], [1, 4, 7, 0], [2, 5, 8, 1]]
    assert parts(shuffle=False, drop_last=True) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert {i for part in parts() for i in part} == set(range(10)) and parts() == parts() != parts(seed=1)
    sampler = DistributedSampler(range(10), 3, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert len(sampler) == 4 and list(sampler) != first
    assert list(DistributedSampler(range(2), 5, 4, shuffle=False)) == [0]
    with pytest.raises(ValueError, match=r"rank should be in the interval \[0, 2\]"):
        DistributedSampler(range(10), 3, 3)
    with pytest.raises(RuntimeError, match="needs num_replicas and rank"):
        DistributedSampler(range(10))
