"""DataLoader: batches of a dataset, made here or by worker processes ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

from ... import tree
from ...devices import is_available
from ...errors import runtime_error
from ...modes import modes
from ...random import Generator, bits
from ...tensor import Tensor
from .collate import default_collate, default_convert
from .dataset import IterableDataset, collated
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .worker import Fetch, WorkerPool

T_co = TypeVar("T_co", covariant=True)


FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
"""What a loader is made with once and for all."""


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches.

    With num_workers > 0, processes make batches ahead of time; they come in the same order. With `pin_memory`
    batches are pinned where there is a GPU. `persistent_workers` and `in_order` are accepted and change nothing.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if num_workers == 0 and persistent_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            for name, value in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value not in (None, False):
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.pin_memory = pin_memory
        self.persistent_workers = persistent_workers
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler: Any = sampler
        if batch_size is not None and not self._iterable:
            assert sampler is not None
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler: Any = batch_sampler
        batched = batch_size is not None or batch_sampler is not None
        self.collate_fn: Callable[[Any], Any] = collate_fn or (default_collate if batched else default_convert)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "collate_fn" in self.__dict__:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if modes.trace is not None:
            raise runtime_error(
                "a compiled function cannot loop over a DataLoader, whose batches are other ones in each call: compile "
                "the function of one batch, and call it in a loop outside"
            )
        batches = self._iterate()
        return map(_pinned, batches) if self.pin_memory and is_available() else batches

    def _iterate(self) -> Iterator[Any]:
        if self._iterable:
            return self._iterate_stream()
        tasks = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        fetch = self.fetch_one if self.batch_sampler is None else self.fetch_batch
        if self.num_workers == 0:
            return map(fetch, tasks)
        return self._pool(lambda worker, workers: fetch).map(tasks)

    def _iterate_stream(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return self.batches_of_stream()
        return self._pool(lambda worker, workers: _Stream(self)).stream()

    def _pool(self, make_fetch: Callable[[int, int], Fetch]) -> WorkerPool:
        return WorkerPool(
            self.num_workers,
            make_fetch,
            self.dataset,
            ahead=self.prefetch_factor or 2,
            timeout=self.timeout,
            init=self.worker_init_fn,
            context=self.multiprocessing_context,
            seed=self._seed(),
        )

    def _seed(self) -> int:
        """What the random numbers of workers begin with: another one for each iteration, repeatable by manual_seed."""
        high, low = bits((2,), self.generator).tolist()
        return high << 30 | low >> 2

    # What an iteration consists of, here or in a worker

    def fetch_one(self, index: Any) -> Any:
        """One example, unbatched."""
        return self.collate_fn(self.dataset[index])

    def fetch_batch(self, indices: list[Any]) -> Any:
        """The examples at some indices, collated."""
        if self.collate_fn is default_collate:
            batch = collated(self.dataset, indices)
            if batch is not None:
                return batch
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[i] for i in indices])

    def batches_of_stream(self) -> Iterator[Any]:
        """What an iterable dataset yields, collated in batches."""
        examples = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, examples)
            return
        while True:
            batch: list[Any] = list(islice(examples, self.batch_size))
            if not batch:
                return
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)


def _pinned(batch: Any) -> Any:
    """A batch, its tensors ready to be sent to a GPU."""
    leaves: list[Any] = []
    structure = tree.flatten(batch, leaves)
    return tree.rebuild(structure, iter([x.pin_memory() if isinstance(x, Tensor) else x for x in leaves]))


class _Stream:
    """The fetch of a worker that reads an iterable dataset: every task is "the next batch"."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader
        self._batches: Iterator[Any] | None = None

    def __call__(self, task: object) -> Any:
        if self._batches is None:
            self._batches = self._loader.batches_of_stream()
        return next(self._batches)


__all__ = ["DataLoader"]
