"""Tracing that fails: errors at the user's line, and nothing changed. Tracing files. Line numbers and programs."""

from __future__ import annotations

import functools
import inspect
import os
import re
import threading
import types

import irtool
import pytest
from irtool import nn, optim
from irtool.dialects.text import parse_module, print_op
from irtool.frontend.compiling.trace_file import TraceError, parse_spec, trace_function
from irtool.frontend.tracing.targets import target_at
from irtool.nn import functional as F

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


def line_of(text):
    lines, start = inspect.getsourcelines(inspect.currentframe().f_back.f_code)
    return start + next(i for i, line in enumerate(lines) if text in line and "line_of" not in line)


def check_line(error, line):
    assert f"test_tracing.py:{line}" in str(error.value)


def test_item_names_the_line_and_the_fix():
    def f(x):
        return x * x.sum().item()  # item

    with pytest.raises(RuntimeError, match=r"item") as error:
        compiled(f)(irtool.ones(2))
    assert f"test_tracing.py:{f.__code__.co_firstlineno + 1}" in str(error.value)


def test_branch_names_the_line():
    def f(x):
        if x.sum() > 0:
            return x
        return -x

    with pytest.raises(RuntimeError, match="where") as error:
        compiled(f)(irtool.ones(2))
    assert f"test_tracing.py:{f.__code__.co_firstlineno + 1}" in str(error.value)


def test_shape_errors_name_the_line():
    def f(x):
        y = x + 1
        return x @ y

    with pytest.raises(RuntimeError) as error:
        compiled(f)(irtool.ones(2, 3))
    assert f"test_tracing.py:{f.__code__.co_firstlineno + 2}" in str(error.value)


def test_an_escaped_tensor_raises_with_its_line():
    class Diverged(Exception):
        pass

    def f(x):
        raise Diverged(x * 2)

    with pytest.raises(Diverged) as raised:
        compiled(f)(irtool.ones(2))
    (kept,) = raised.value.args
    with pytest.raises(RuntimeError, match=rf"test_tracing.py:{f.__code__.co_firstlineno + 1}"):
        kept.tolist()
    with pytest.raises(RuntimeError, match=r"traced|tracing"):
        compiled(lambda x: x + kept)(irtool.ones(2))


def test_a_tensor_under_a_name_that_code_makes_up():
    box = types.SimpleNamespace()

    def f(x):
        setattr(box, "".join(["va", "lue"]), x * 2)
        return x + 1

    with pytest.warns(UserWarning, match="SimpleNamespace.value = is not known to be free of effects"):
        compiled(f)(irtool.ones(2))
    assert box.value.tolist() == [2.0, 2.0]


def test_a_failed_trace_changes_nothing():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    counter = irtool.zeros(1)
    generator = irtool.get_rng_state().tolist()

    def step(x):
        loss = model(x).sum()
        counter.add_(1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.eval()
        irtool.set_grad_enabled(False)
        return loss.item()

    before = {k: v.tolist() for k, v in model.state_dict().items()}
    held = model[0].weight.grad
    with pytest.raises(RuntimeError):
        compiled(step)(irtool.ones(1, 2))
    assert {k: v.tolist() for k, v in model.state_dict().items()} == before
    assert model[0].weight.grad is held is None
    assert len(optimizer.state) == 0 and counter.item() == 0
    assert model.training and irtool.is_grad_enabled()
    assert irtool.get_rng_state().tolist() == generator
    assert (irtool.ones(1) + 1).item() == 2


def test_existing_gradients_survive_a_failed_trace():
    w = nn.Parameter(irtool.ones(2))
    w.sum().backward()
    held = w.grad

    def step():
        w.grad = None
        (w * 2).sum().backward()
        w.grad.sum().item()

    with pytest.raises(RuntimeError):
        compiled(step)()
    assert w.grad is held and held.tolist() == [1.0, 1.0]


def test_a_failed_compilation_changes_nothing(monkeypatch):
    from irtool.frontend.compiling import specialize

    w = nn.Parameter(irtool.ones(2))
    optimizer = optim.SGD([w], lr=1.0, momentum=0.9)

    def step():
        w.sum().backward()
        optimizer.step()

    def broken(module, target):
        raise OSError("no compiler")

    with monkeypatch.context() as patch:
        patch.setattr(specialize, "compile_module", broken)
        with pytest.raises(OSError, match="no compiler"):
            compiled(step)()
    assert w.grad is None and len(optimizer.state) == 0 and w.tolist() == [1.0, 1.0]
    compiled(step)()
    assert w.tolist() == [0.0, 0.0]


def test_learning_rates_change_outside():
    w = nn.Parameter(irtool.ones(1))
    optimizer = optim.SGD([w], lr=1.0)

    @compiled
    def step():
        w.sum().backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.5

    for k in range(3):
        step()
        optimizer.zero_grad()
        assert (
            optimizer.param_groups[0]["lr"] == 0.5 ** (k + 1) and w.item() == sum(-(0.5**j) for j in range(k + 1)) + 1
        )


def test_results_that_hide_tensors():
    with pytest.raises(RuntimeError, match="returns or keeps a set that holds tensors"):
        compiled(lambda x: {x * 2})(irtool.ones(1))


def test_what_cannot_be_compiled():
    def generator(x):
        yield x

    with pytest.raises(TypeError, match="yields or awaits"):
        compiled(generator)
    with pytest.raises(TypeError, match="takes a function or a module, got int"):
        compiled(3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'speed'"):
        compiled(lambda x: x, speed=1)
    with pytest.raises(ValueError, match="unknown target 'tpu'"):
        irtool.compile(lambda x: x, target="tpu")


def in_a_thread(work):
    """What `work()` returns in another thread, or the error that it raises."""
    found = []

    def run():
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_other_threads_compute_while_a_function_is_traced():
    def in_threads():
        while True:
            yield in_a_thread(lambda: (irtool.ones(2) * 2).tolist())

    def f(x):
        return x * 2, next(steps)

    steps = in_threads()
    y, found = compiled(f)(irtool.ones(1))
    assert y.item() == 2.0
    assert found == [2.0, 2.0]


def test_threads_started_by_a_compiled_function():
    found = []

    def f(x):
        y = x * 2
        found.append(in_a_thread(lambda: (y * 2).tolist()))
        return y

    with pytest.warns(UserWarning, match="threading.Thread is not known to be free of effects"):
        assert compiled(f)(irtool.ones(1)).item() == 2.0
    assert found == [[4.0]]


def test_threads_compile_at_once():
    functions = [compiled(lambda x, k=k: (x * k).sum()) for k in range(4)]
    results = [None] * 4

    def work(k):
        results[k] = [functions[j](irtool.ones(3)).item() for j in (k, 3 - k)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[3.0 * k, 3.0 * (3 - k)] for k in range(4)]


def test_grad_mode_belongs_to_a_thread():
    with irtool.no_grad():
        assert in_a_thread(irtool.is_grad_enabled)
        assert not irtool.is_grad_enabled()


# IR


MODEL = """
import irtool
from irtool import nn, optim
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
{padding}
def step(x: "f32[3,4]", y: "i64[3]"):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

def other(x):
    return x * 2

if __name__ == "__main__":
    other = irtool.compile(other, target="reference")
    other(irtool.ones(5))
"""


def test_tracing_a_file(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(MODEL.format(padding=""))
    module = trace_function(str(file), "step")
    text = print_op(module)
    assert "train.py" in text and "hl.gradient" in text and "%weight: tensor<2x4xf32>" in text
    assert print_op(parse_module(text)) == text
    assert "tensor<7xi64>" in print_op(trace_function(str(file), "other", ["i64[7]"]))
    assert "tensor<5xf32>" in print_op(trace_function(str(file), "other"))
    with pytest.raises(TraceError, match="no function 'missing'"):
        trace_function(str(file), "missing")
    with pytest.raises(TraceError, match="no such file"):
        trace_function(str(tmp_path / "missing.py"), "step")
    with pytest.raises(TraceError, match="expected an argument like"):
        parse_spec("f33[2]")


def test_a_shifted_line_is_the_same_program(tmp_path):
    texts = []
    for padding in ("", "# a comment\n\n"):
        file = tmp_path / "train.py"
        file.write_text(MODEL.format(padding=padding))
        texts.append(print_op(trace_function(str(file), "step"), locations=False))
    assert texts[0] == texts[1]


def test_equal_files_keep_their_own_names(tmp_path):
    for name in ("first.py", "second.py"):
        (tmp_path / name).write_text(MODEL.format(padding=""))
        text = print_op(trace_function(str(tmp_path / name), "step"))
        assert set(re.findall(r"(\w+\.py)", text)) == {name}


def test_names_of_assignments(tmp_path):
    from irtool.dialects.locations import at_line

    file = tmp_path / "names.py"
    file.write_text("loss = f(\n    x)\na, b = g()\nx.y = 1\nz: int = 2\n")
    assert [target_at(at_line(str(file), n)) for n in range(1, 7)] == ["loss", "loss", None, None, "z", None]
    assert target_at(at_line("<stdin>", 1)) is None


def test_trace_makes_no_call():
    w = nn.Parameter(irtool.ones(2))
    optimizer = optim.SGD([w], lr=1.0, momentum=0.9)

    @compiled
    def step(x):
        loss = F.mse_loss(w * x, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    module = step.trace(irtool.ones(2))
    assert "hl.gradient" in print_op(module)
    assert len(optimizer.state) == 0 and w.tolist() == [1.0, 1.0] and not step.programs()


@pytest.mark.parametrize(
    "ask, message",
    [
        (
            lambda x: float(x.sum()),
            r"\.item\(\) \(which float\(\), int\(\), range\(\) and numbers in indices call\) needs",
        ),
        (lambda x: irtool.equal(x, x + 1), r"equal\(\) needs the value.*torch.eq or torch.isclose"),
        (lambda x: irtool.allclose(x, x + 1), r"allclose\(\) needs the value"),
    ],
)
def test_questions_that_have_no_answer_yet(ask, message):
    with pytest.raises(RuntimeError, match=message):
        compiled(ask)(irtool.ones(2))


def test_a_compiled_container_is_still_one():
    layers = compiled(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert len(layers) == 2 and layers[1] is layers._orig_mod[1] and [*layers] == [*layers._orig_mod]
    assert compiled(nn.ReLU())
    with pytest.raises(TypeError, match="len"):
        len(compiled(nn.ReLU()))
