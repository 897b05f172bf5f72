"""Worker processes that make batches: tasks go out in turns, results come back in the order of the tasks."""

from __future__ import annotations

import queue
import random
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...random import manual_seed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Fetch = Callable[[Any], Any]
"""Makes the result of one task; raises StopIteration at the end of a stream."""

_JOIN_SECONDS = 5.0


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info` gives inside a worker."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Inside a worker process, which one it is; None in the main process."""
    return _info


class _End:
    """What a worker sends when its stream has ended."""


class _Failure:
    """What a worker sends when a task raised."""

    def __init__(self, worker: int, error: BaseException) -> None:
        self.kind = type(error)
        text = "".join(traceback.format_exception(error))
        self.message = f"Caught {self.kind.__name__} in DataLoader worker process {worker}.\nOriginal {text}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_failure, (self.kind, self.message))

    def raised(self) -> BaseException:
        """The error, of its own kind where that takes a message."""
        try:
            return self.kind(_Verbatim(self.message))
        except Exception:
            return RuntimeError(self.message)


class _Verbatim(str):
    """A message that a KeyError, which shows the repr of its key, shows as it is."""

    __repr__ = str.__str__


def _failure(kind: type[BaseException], message: str) -> _Failure:
    made = _Failure.__new__(_Failure)
    made.kind, made.message = kind, message
    return made


def _work(
    worker: int,
    workers: int,
    seed: int,
    connection: Connection,
    inherited: Iterable[Connection],
    make_fetch: Callable[[int, int], Fetch],
    dataset: Any,
    init: Callable[[int], None] | None,
) -> None:
    """The life of a worker. A thread takes tasks in, so that neither side waits for the other to read."""
    global _info
    for other in inherited:
        other.close()  # or no end of file would ever come
    _info = WorkerInfo(worker, workers, seed, dataset)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    manual_seed(seed)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    fetch: Fetch | None = None
    while (task := tasks.get()) is not None:
        try:
            if fetch is None:
                if init is not None:
                    init(worker)
                fetch = make_fetch(worker, workers)
            result = fetch(task[0])
        except StopIteration:
            result = _End()
        except Exception as error:
            result = _Failure(worker, error)
        try:
            _send(connection, worker, result)
        except (BrokenPipeError, ConnectionError):
            return


def _send(connection: Connection, worker: int, result: Any) -> None:
    """Sends a result, or the reason why it cannot be pickled; of an error of a class that cannot, the message."""
    try:
        connection.send(result)
    except (BrokenPipeError, ConnectionError):
        raise
    except Exception as error:
        failure = result if isinstance(result, _Failure) else _Failure(worker, error)
        connection.send(_failure(RuntimeError, failure.message))


def _receive(connection: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            tasks.put(None)
            return


class WorkerPool:
    """Some processes for the length of one iteration."""

    def __init__(
        self,
        workers: int,
        make_fetch: Callable[[int, int], Fetch],
        dataset: Any,
        *,
        ahead: int,
        timeout: float,
        init: Callable[[int], None] | None,
        context: Any,
        seed: int,
    ) -> None:
        self._ahead = ahead
        self._timeout = timeout
        if context is None or isinstance(context, str):
            import multiprocessing

            # As PyTorch does: a script's own classes need no import in the worker.
            forks = "fork" in multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context(context or ("fork" if forks else None))
        self._connections: list[Connection] = []
        self._processes: list[Any] = []
        for worker in range(workers):
            ours, theirs = context.Pipe()
            inherited = [*self._connections, ours]
            arguments = (worker, workers, seed + worker, theirs, inherited, make_fetch, dataset, init)
            process = context.Process(target=_work, args=arguments, daemon=True)
            with warnings.catch_warnings():
                # Newer Pythons warn of forking beside threads: ours wait in OpenMP and hold no lock.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def map(self, tasks: Iterator[Any]) -> Iterator[Any]:
        """The results of all tasks, in order."""
        try:
            sent = received = 0
            workers = len(self._connections)
            for task in tasks:
                self._send(sent % workers, task)
                sent += 1
                if sent - received >= self._ahead * workers:
                    yield self._result(received % workers)
                    received += 1
            for number in range(received, sent):
                yield self._result(number % workers)
        finally:
            self.close()

    def stream(self) -> Iterator[Any]:
        """What the workers' streams yield, in turns, until all have ended."""
        try:
            running = list(range(len(self._connections)))
            for worker in running:
                for _ in range(self._ahead):
                    self._send(worker, None)
            while running:
                for worker in tuple(running):
                    result = self._result(worker)
                    if isinstance(result, _End):
                        running.remove(worker)
                        continue
                    self._send(worker, None)
                    yield result
        finally:
            self.close()

    def _send(self, worker: int, task: Any) -> None:
        try:
            self._connections[worker].send((task,))
        except (BrokenPipeError, ConnectionError) as error:
            raise self._died(worker) from error

    def _result(self, worker: int) -> Any:
        connection = self._connections[worker]
        if self._timeout > 0 and not connection.poll(self._timeout):
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        try:
            result = connection.recv()
        except (EOFError, ConnectionError) as error:
            raise self._died(worker) from error
        if isinstance(result, _Failure):
            raise result.raised()
        return result

    def _died(self, worker: int) -> RuntimeError:
        process = self._processes[worker]
        process.join(_JOIN_SECONDS)
        return RuntimeError(f"DataLoader worker (pid {process.pid}) exited unexpectedly with code {process.exitcode}")

    def close(self) -> None:
        """Ends the processes."""
        _close(self._connections, self._processes)


def _close(connections: Iterable[Connection], processes: Iterable[Any]) -> None:
    for connection in connections:
        connection.close()
    for process in processes:
        process.join(_JOIN_SECONDS)
        if process.is_alive():
            process.terminate()
            process.join()
        process.close()


__all__ = ["get_worker_info"]
