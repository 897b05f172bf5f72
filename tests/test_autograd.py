"""Backward: what it computes, accumulates, frees and refuses."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor
from irtool.frontend.tape import CustomNode


def leaf(*values: float) -> Tensor:
    return irtool.tensor(list(values), requires_grad=True)


def gradient(x: Tensor) -> list[Any]:
    assert x.grad is not None
    return x.grad.tolist()


def test_accumulation_is_in_place() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    assert first is not None
    (x * 3).sum().backward()
    assert x.grad is first and gradient(x) == [5.0, 7.0]
    assert not first.requires_grad and first.is_leaf


def test_gradients_do_not_share_memory() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    assert x.grad is not None
    x.grad.mul_(10)
    assert gradient(y) == [1.0, 1.0]
    seed = irtool.ones(2)
    z = leaf(1.0, 1.0)
    z.backward(seed)
    seed.zero_()
    assert gradient(z) == [1.0, 1.0]


def test_a_freed_graph_says_so() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert gradient(x) == [6.0, 12.0]


def test_overwritten_values_are_noticed() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.add_(1)
    with pytest.raises(
        RuntimeError, match=r"modified by an inplace operation.*ExpBackward0.*version 1; expected version 0"
    ):
        y.sum().backward()
    # Addition needs no values: what it added may change.
    a = x * 2
    b = a + 1
    a.zero_()
    b.sum().backward()
    assert gradient(x) == [2.0, 2.0]


def test_leaves_cannot_be_written_to_while_recording() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"a leaf Variable that requires grad.*test_autograd\.py:\d+"):
        x += 1
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        x[0] = 1
    with irtool.no_grad():
        x += 1
        x[0] = 0
    assert x.tolist() == [0.0, 3.0] and x.is_leaf and x.requires_grad


def test_what_has_no_history_is_refused() -> None:
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        irtool.ones(2).sum().backward()
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(RuntimeError, match="only Tensors of floating point dtype can require gradients"):
        irtool.tensor([1]).requires_grad_()
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        (leaf(1.0) * 2).requires_grad_(False)


def test_grad_modes() -> None:
    x = leaf(1.0)
    with irtool.no_grad():
        assert not irtool.is_grad_enabled() and not (x * 2).requires_grad
        with irtool.enable_grad():
            assert (x * 2).requires_grad
    assert irtool.is_grad_enabled()

    @irtool.no_grad()
    def with_call(y: Tensor) -> Tensor:
        return y * 2

    @irtool.no_grad
    def without_call(y: Tensor) -> Tensor:
        return y * 2

    @irtool.inference_mode()
    def inference(y: Tensor) -> Tensor:
        return y * 2

    assert not any(f(x).requires_grad for f in (with_call, without_call, inference))
    with irtool.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    irtool.set_grad_enabled(False)
    try:
        assert not irtool.is_grad_enabled()
    finally:
        irtool.set_grad_enabled(True)
    with pytest.raises(ZeroDivisionError), irtool.no_grad():
        _ = 1 / 0
    assert irtool.is_grad_enabled()


def test_generators_keep_their_mode() -> None:
    @irtool.no_grad()
    def rows() -> Any:
        yield irtool.is_grad_enabled()
        yield irtool.is_grad_enabled()

    assert [(inside, irtool.is_grad_enabled()) for inside in rows()] == [(False, True), (False, True)]


def test_second_derivatives() -> None:
    x = leaf(2.0, 3.0)
    (first,) = irtool.autograd.grad((x**3).sum(), x, create_graph=True)
    assert first is not None and first.tolist() == [12.0, 27.0]
    (second,) = irtool.autograd.grad(first.sum(), x, create_graph=True)
    assert second is not None and second.tolist() == [12.0, 18.0]
    (third,) = irtool.autograd.grad(second.sum(), x)
    assert third is not None and third.tolist() == [6.0, 6.0]


def test_gradient_penalty() -> None:
    x, w = leaf(1.0, 2.0), leaf(0.5, -1.0)
    (g,) = irtool.autograd.grad(irtool.tanh(x * w).sum(), x, create_graph=True)
    assert g is not None
    (g.norm() - 1).pow(2).backward()
    assert w.grad is not None and x.grad is not None

    def penalty(values: np.ndarray[Any, Any]) -> float:
        slope = values * (1 - np.tanh(np.array([1.0, 2.0]) * values) ** 2)
        return float((np.sqrt((slope**2).sum()) - 1) ** 2)

    step = 1e-6
    for k in range(2):
        offset = np.eye(2)[k] * step
        base = np.array([0.5, -1.0])
        expected = (penalty(base + offset) - penalty(base - offset)) / (2 * step)
        assert abs(w.grad[k].item() - expected) < 1e-3


def test_grad_leaves_grad_alone_and_reports_what_is_unused() -> None:
    x, y = leaf(1.0), leaf(2.0)
    assert irtool.autograd.grad((x * 2).sum(), x)[0] is not None
    assert x.grad is None
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        irtool.autograd.grad(x.sum(), y)
    assert irtool.autograd.grad(x.sum(), y, allow_unused=True) == (None,)
    (zero,) = irtool.autograd.grad(x.sum(), y, allow_unused=True, materialize_grads=True)
    assert zero is not None and zero.tolist() == [0.0]
    h = x * 3
    found = irtool.autograd.grad((h * h).sum(), [h, x])
    assert [g.tolist() for g in found if g is not None] == [[6.0], [18.0]]


def test_backward_with_inputs() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x * y).sum().backward(inputs=[x])
    assert gradient(x) == [2.0] and y.grad is None
    h = x * y
    h.retain_grad()
    (h * h).sum().backward(inputs=[h])
    assert gradient(h) == [4.0] and gradient(x) == [2.0]


def test_retained_gradients_and_hooks() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    assert not x.is_leaf or y.retains_grad
    seen: list[Any] = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 10)
    (y * y).sum().backward()
    assert y.grad is not None and y.grad.tolist() == [6.0, 12.0]
    assert seen == [[6.0, 12.0]]
    assert gradient(x) == [180.0, 360.0]
    handle.remove()


def test_custom_nodes() -> None:
    """The interface that compiled functions put their backward on the tape with."""
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    a, b = (x.detach() * y.detach()), (x.detach() + y.detach())
    arrived: list[Sequence[Tensor | None]] = []

    def backward(cotangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        arrived.append(cotangents)
        (ct, _) = cotangents
        assert ct is not None
        return ct * y.detach(), None

    CustomNode("ProductBackward", (x, y), (a, b), backward)
    assert repr(a).endswith("grad_fn=<ProductBackward>)")
    (a * 2).sum().backward()
    assert gradient(x) == [6.0, 8.0] and y.grad is None
    assert arrived[0][1] is None
    with pytest.raises(RuntimeError, match="second time"):
        a.sum().backward()


def test_wrong_gradients_are_named() -> None:
    x = leaf(1.0, 2.0)
    y = x.detach() * 2
    CustomNode("WrongBackward", (x,), (y,), lambda cotangents: (irtool.ones(3),))
    with pytest.raises(RuntimeError, match="WrongBackward returned an invalid gradient at index 0"):
        y.sum().backward()


def test_memory_is_freed_without_the_collector() -> None:
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = (x * 2).exp()
        loss = y.sum()
        watched = weakref.ref(y._storage)
        loss.backward()
        del y, loss
        assert watched() is None
        z = (x * 2).tanh()
        watched = weakref.ref(z._storage)
        del z
        assert watched() is None
    finally:
        gc.enable()


def test_long_chains() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 1
    y.sum().backward()
    assert gradient(x) == [1.0]


def test_leaves_used_by_in_place_results_stay_leaves() -> None:
    w = leaf(1.0, 2.0)
    y = irtool.zeros(2)
    y.copy_(w)
    assert not y.is_leaf and w.is_leaf
    (y * y).sum().backward()
    assert gradient(w) == [2.0, 4.0]


def test_compiled_gradients_agree() -> None:
    def step(x: Tensor, w: Tensor) -> Tensor:
        h = x @ w
        h[0] = h[0] * 2
        out = irtool.log_softmax(irtool.relu(h), 1)
        return -(out[:, 1] * out.detach()[:, 0]).mean()

    irtool.manual_seed(0)
    x, w = irtool.randn(3, 4), irtool.randn(4, 5)
    eager, traced = w.clone().requires_grad_(), w.clone().requires_grad_()
    step(x, eager).backward()

    def whole(x: Tensor) -> Tensor:
        loss = step(x, traced)
        loss.backward()
        return loss

    irtool.compile(whole, target="reference", keep_gradients=True)(x)
    assert eager.grad is not None and traced.grad is not None
    assert irtool.allclose(eager.grad, traced.grad, rtol=1e-5, atol=1e-6)


class Cube(irtool.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x * x * x * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, False)
        return gradient * 3 * ctx.scale * x * x, None


class Halves(irtool.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return x / 2, x.long()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, first: Tensor, second: Tensor | None) -> Tensor:
        return first * 7  # not the truth, so that the test can tell


def test_functions_with_their_own_backward() -> None:
    x = leaf(1.0, 2.0)
    y = Cube.apply(x, 2.0)
    assert repr(y.grad_fn) == "<CubeBackward>"
    (first,) = irtool.autograd.grad(y.sum(), x, create_graph=True)
    assert first is not None and first.tolist() == [6.0, 24.0]
    first.sum().backward()
    assert gradient(x) == [12.0, 24.0]
    z = leaf(2.0)
    half, whole = Halves.apply(z)
    assert half.tolist() == [1.0] and not whole.requires_grad
    half.backward()
    assert gradient(z) == [7.0]
    assert irtool.compile(lambda v: Cube.apply(v, 1.0), target="reference")(irtool.ones(2)).tolist() == [1.0, 1.0]


def test_gradcheck() -> None:
    x = irtool.tensor([[0.3, -0.2], [0.7, 1.1]], dtype=irtool.float64, requires_grad=True)
    y = irtool.tensor([0.5, 2.0], dtype=irtool.float64, requires_grad=True)
    assert irtool.autograd.gradcheck(lambda a, b: (irtool.softmax(a @ b, 0), a.tanh()), (x, y))
    assert irtool.autograd.gradcheck(lambda a: Cube.apply(a, 2.0), (y,))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        irtool.autograd.gradcheck(lambda a: Halves.apply(a)[0], (y,))


def test_names_that_programs_mention() -> None:
    x = irtool.tensor([2.0])
    with irtool.autograd.set_detect_anomaly(True), irtool.autograd.detect_anomaly():
        y = irtool.autograd.Variable(x, requires_grad=True)
        (y * y).backward()
    assert y.grad is not None and y.grad.tolist() == [4.0] and not x.requires_grad
    assert irtool.autograd.Variable(x) is x
    node = (y * 2).grad_fn
    assert node is not None and node.name() == "MulBackward0"


def test_the_compiler_module() -> None:
    import irtool.compiler as compiler

    assert not compiler.is_compiling()
    seen = irtool.compile(lambda x: (x * 2, compiler.is_compiling()), target="reference")
    assert seen(irtool.ones(1))[1] is True
    assert compiler.disable(len) is len and compiler.disable(reason="slow")(len) is len
    compiler.reset()
    with pytest.raises(AttributeError, match=r"_dynamo.*irtool\.compiler"):
        irtool._dynamo  # noqa: B018


def test_what_arrives_is_added_up_without_touching_what_others_hold():
    x, y = (irtool.ones(4, 3, requires_grad=True) for _ in range(2))
    h = x * 2
    h.retain_grad()
    s = h + y  # one gradient for both
    kept = []
    s.register_hook(kept.append)
    ((s * 3).sum() + h[1:, ::2].sum() + h[0].sum() + (h * 5).sum() + h[1:2].sum()).backward()
    expected = np.full((4, 3), 8.0)
    expected[1:, ::2] += 1
    expected[0] += 1
    expected[1] += 1
    np.testing.assert_array_equal(h.grad.numpy(), expected)
    np.testing.assert_array_equal(x.grad.numpy(), 2 * expected)
    assert (y.grad == 3).all()
    assert (kept[0] == 3).all()


def test_nobody_writes_into_the_number_that_backward_starts_from():
    x = irtool.tensor(2.0, requires_grad=True)
    (gradient,) = irtool.autograd.grad(x, x, create_graph=True)
    gradient.mul_(5)
    x.backward(create_graph=True)
    assert x.grad is not None
    x.grad.mul_(2)
    handle = x.register_hook(lambda g: g.mul_(3))
    x.grad = None
    x.backward()
    assert x.grad.tolist() == 3.0
    handle.remove()
    assert irtool.autograd.grad(x, x)[0].tolist() == 1.0 and (irtool.zeros(2) + 1.0).tolist() == [1.0, 1.0]


def test_a_handle_removes_its_own_registration() -> None:
    x = irtool.ones(2, requires_grad=True)
    for t in (x, x * 1):
        seen: list[int] = []

        def hook(gradient: irtool.Tensor, seen: list[int] = seen) -> None:
            seen.append(1)

        first, _ = t.register_hook(hook), t.register_hook(hook)
        first.remove()
        first.remove()
        t.sum().backward()
        assert len(seen) == 1
