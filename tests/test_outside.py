"""What compiled functions do to the world: iterators that they draw from, what they print, and what they read once."""

from __future__ import annotations

import copy
import functools
import itertools
import logging
import os
import pickle
import time
from time import perf_counter

import irtool
import pytest
from irtool import nn, optim

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
endless = itertools.count(1)


def squares():
    for k in itertools.count(1):
        yield irtool.full((2,), float(k * k))


def test_iterators_give_their_next_element_in_each_call():
    class Holder:
        rates = itertools.cycle([1.0, 10.0])

    holder, batches, pairs = Holder(), squares(), iter([(irtool.ones(2) * k, k) for k in range(4)])
    holder.more = iter([1, 2, 3, 4])
    start = next(endless)

    @compiled
    def f(x):
        y, k = next(pairs)
        return x * next(endless) * next(holder.rates) + next(batches) + y * k + next(holder.more)

    for k in range(3):
        expected = (start + 1 + k) * (1.0, 10.0)[k % 2] + (k + 1) ** 2 + k * k + (k + 1)
        assert f(irtool.ones(2)).tolist() == [expected] * 2


def test_an_iterator_among_the_arguments():
    f = compiled(lambda batches: next(batches) * 2)
    batches = squares()
    assert [f(batches).tolist()[0] for _ in range(3)] == [2.0, 8.0, 18.0]
    assert f(irtool.ones(1) * k for k in (5, 6)).tolist() == [10.0]


def test_attempts_draw_once():
    """The list that grows is found in the first attempt; the float that Python asks for, in another."""
    batches, log = iter(range(1, 9)), []

    @compiled
    def f(x, scale):
        log.append(x * next(batches))
        return x * (2.0 if scale > 1 else 3.0) * next(batches)

    assert [f(irtool.ones(1), 4.0).item() for _ in range(2)] == [4.0, 8.0]
    assert [y.item() for y in log] == [1.0, 3.0]


def test_what_a_failed_call_has_drawn_is_given_back():
    batches = iter([1.0, 2.0, 3.0])
    fail = True

    @compiled
    def f(x):
        y = x * next(batches)
        if fail:
            raise ValueError("not yet")
        return y

    with pytest.raises(ValueError):
        f(irtool.ones(1))
    fail = False
    assert f(irtool.ones(1)).item() == 1.0 and next(batches) == 2.0


def test_an_iterator_that_ends():
    batches = iter([1.0])
    f = compiled(lambda x: x * next(batches))
    assert f(irtool.ones(1)).item() == 1.0
    with pytest.raises(StopIteration):
        f(irtool.ones(1))


def test_prints_show_the_values_of_each_call(capsys):
    model = nn.Linear(2, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    @compiled
    def step(x, scale=1.0):
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        print("before", model.weight, {"scale": scale})
        optimizer.step()
        print("loss", loss, x.shape, sep=": ", end=".\n")
        return loss

    step(irtool.ones(1, 2), 1.0)
    step(irtool.ones(1, 2) * 2, 3.0)
    assert capsys.readouterr().out == (
        "before tensor([[1., 1.]]) {'scale': 1.0}\nloss: tensor(2.): irtool.Size([1, 2]).\n"
        "before tensor([[0.5000, 0.5000]]) {'scale': 3.0}\nloss: tensor(2.): irtool.Size([1, 2]).\n"
    )
    assert len(step.programs()) == 2 and "print" not in globals()


def test_what_is_printed_before_an_error_is_seen(capsys):
    @compiled
    def f(x):
        print("shape", x.shape)
        print(f"{x.sum():.2f}")
        return x

    with pytest.raises(RuntimeError, match=r"print\(x\) shows the value in each call.*test_outside.py"):
        f(irtool.ones(2))
    assert capsys.readouterr().out == "shape irtool.Size([2])\n"
    print("as ever")
    assert capsys.readouterr().out == "as ever\n"


def test_records_of_loggers(caplog):
    logger = logging.getLogger("of a test")
    adapter = logging.LoggerAdapter(logger, {})

    @compiled
    def f(x):
        logger.info("sum %s of %d", x.sum(), len(x))
        adapter.debug("not shown")
        logging.warning("shape %s", x.shape)
        if len(x) == 3:
            raise ValueError
        return x

    with caplog.at_level(logging.INFO):
        for k in range(3):
            f(irtool.ones(2) * k)
        with pytest.raises(ValueError):
            f(irtool.ones(3))
    said = [(r.name, r.getMessage()) for r in caplog.records]
    warned = ("root", "shape irtool.Size([2])")
    expected = [line for k in range(3) for line in (("of a test", f"sum tensor({2 * k}.) of 2"), warned)]
    assert said == [*expected, ("root", "shape irtool.Size([3])")] and len(f.programs()) == 1


def test_the_environment_is_watched(monkeypatch):
    @compiled
    def f(x):
        return x * float(os.environ["IRTOOL_TEST_SCALE"]) + len(os.getenv("IRTOOL_TEST_NAME", ""))

    monkeypatch.setenv("IRTOOL_TEST_SCALE", "2")
    assert f(irtool.ones(1)).item() == f(irtool.ones(1)).item() == 2.0
    monkeypatch.setenv("IRTOOL_TEST_NAME", "abc")
    assert f(irtool.ones(1)).item() == 5.0
    monkeypatch.setenv("IRTOOL_TEST_SCALE", "3")
    assert f(irtool.ones(1)).item() == 6.0 and len(f.programs()) == 3


@pytest.mark.parametrize("clock, name", [(lambda: time.time(), "time.time"), (perf_counter, "time.perf_counter")])
def test_calls_that_read_clocks_run_uncompiled_with_a_warning(clock, name):
    @compiled
    def f(x):
        return x * clock()

    with pytest.warns(
        UserWarning, match=rf"{name} is not known to be free of effects: calls of f that reach it run unc"
    ):
        last = f(irtool.ones(1, dtype=irtool.float64)).item()
    for _ in range(3):
        now = f(irtool.ones(1, dtype=irtool.float64)).item()
        assert now > last
        last = now


def test_files_are_read_in_each_call(tmp_path):
    @compiled
    def f(x):
        with open(tmp_path / "scale") as file:
            return x * float(file.read())

    (tmp_path / "scale").write_text("2")
    with pytest.warns(UserWarning, match=r"open is not known to be free of effects"):
        assert f(irtool.ones(1)).item() == 2.0
    (tmp_path / "scale").write_text("3")
    assert f(irtool.ones(1)).item() == 3.0


def keep_last(x):
    global last
    last = [x * 2]
    return x


def test_globals_that_are_new():
    f = compiled(keep_last)
    for k in range(2):
        f(irtool.ones(1) * k)
        assert last[0].item() == 2.0 * k
    del globals()["last"]


def test_saves_in_every_call(tmp_path):
    f = compiled(lambda x: irtool.save({"a": [x * 2, 3]}, tmp_path / "x"))
    for k in (1.0, 4.0):
        f(irtool.tensor([k]))
        saved = irtool.load(tmp_path / "x")["a"]
        assert saved[0].tolist() == [2 * k] and saved[1] == 3


def test_copies_of_tensors():
    model = nn.Linear(2, 1)
    nn.init.ones_(model.weight)

    @compiled
    def f(x):
        fast = copy.deepcopy(model)
        shared = copy.copy(x)
        shared += 1
        (fast(x).sum() - fast.bias.sum()).backward()
        return copy.deepcopy(x) * 2, fast.weight.grad, fast.weight + 1

    for k in (1.0, 5.0):
        doubled, grad, weight = f(irtool.full((1, 2), k))
        assert doubled.tolist() == [[2 * k + 2] * 2] and grad.tolist() == [[k + 1] * 2]
        assert weight.tolist() == [[2.0, 2.0]] and model.weight.grad is None
    x = irtool.zeros(2)
    copy.copy(x).fill_(3)
    assert x.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match=r"pickling a tensor needs the value.*test_outside.py"):
        compiled(pickle.dumps)(x)
