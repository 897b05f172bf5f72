"""L-BFGS: steps along directions that recent gradients improve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import refused
from ..grad_mode import enable_grad, no_grad
from ..modes import modes
from ..ops.joining import cat
from ..tensor import Tensor
from .line_search import Point, strong_wolfe
from .numbers import plain
from .optimizer import Optimizer, Params, State
from .options import options


class LBFGS(Optimizer):
    """Up to `max_iter` steps along the direction that the last `history_size` changes of the gradient suggest.

    `step(closure)` calls the closure, which computes loss and gradients, as often as it needs. How often depends on
    values: the closure may be compiled, the step may not.
    """

    @options("lr")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")

    def __post_init__(self) -> None:
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        for given in (self.defaults, self.param_groups[0]):
            if given["max_eval"] is None:
                given["max_eval"] = self.defaults["max_iter"] * 5 // 4

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Returns the loss of before."""
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        if modes.trace is not None:
            raise refused(
                "LBFGS calls its closure as often as values ask for, which compiled code cannot: "
                "call step outside of the compiled function, and compile the closure"
            )
        with no_grad():
            return self._minimize(closure)

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group, params = self.param_groups[0], self._parameters()
        state = self.state[params[0]]
        first = self._call(closure)
        loss, gradient = float(first), self._gradient()
        _count(state, "func_evals", 1)
        state.setdefault("n_iter", 0)
        evaluated = 1
        for iteration in range(1, group["max_iter"] + 1):
            if iteration == 1 and _largest(gradient) <= group["tolerance_grad"]:
                break
            _count(state, "n_iter", 1)
            direction = self._direction(state, gradient, group["history_size"])
            t = float(plain(group["lr"]))
            if state["n_iter"] == 1:
                t *= min(1.0, 1.0 / gradient.abs().sum().item())
            state["prev_flat_grad"], state["prev_loss"], before = gradient.clone(), loss, loss
            slope = gradient.dot(direction).item()
            if slope > -group["tolerance_change"]:
                state["d"], state["t"] = direction, t
                break
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, gradient, slope)
                point, calls = self._search(closure, start, direction, t, group["tolerance_change"])
                t, loss, gradient = point.t, point.loss, point.gradient
                self._move(direction, t)
            else:
                self._move(direction, t)
                calls = 0
                if iteration != group["max_iter"]:
                    loss, gradient, calls = float(self._call(closure)), self._gradient(), 1
            state["d"], state["t"] = direction, t
            evaluated += calls
            _count(state, "func_evals", calls)
            done = evaluated >= group["max_eval"] or _largest(gradient) <= group["tolerance_grad"]
            small = _largest(direction) * abs(t) <= group["tolerance_change"]
            if done or small or abs(loss - before) < group["tolerance_change"]:
                break
        return first

    def _direction(self, state: State, gradient: Tensor, history: int) -> Tensor:
        """-H g, where H is what pairs of steps and changes of the gradient tell about the inverse of the Hessian."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        change, step = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        along = change.dot(step).item()
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        if along > 1e-10:
            for kept, new in ((changes, change), (steps, step), (inverses, 1.0 / along)):
                del kept[: max(len(kept) + 1 - history, 0)]
                kept.append(new)
            state["H_diag"] = along / change.dot(change).item()
        q = -gradient
        shares: list[float] = []
        for y, s, inverse in zip(reversed(changes), reversed(steps), reversed(inverses)):
            shares.append(s.dot(q).item() * inverse)
            q = q - y * shares[-1]
        q = q * state["H_diag"]
        for y, s, inverse, share in zip(changes, steps, inverses, reversed(shares)):
            q = q + s * (share - y.dot(q).item() * inverse)
        return q

    def _search(
        self, closure: Callable[[], Any], start: Point, direction: Tensor, t: float, tolerance: float
    ) -> tuple[Point, int]:
        origin = [p.detach().clone() for p in self._parameters()]

        def back() -> None:
            for p, value in zip(self._parameters(), origin):
                p.copy_(value)

        def evaluate(t: float) -> Point:
            self._move(direction, t)
            loss, gradient = float(self._call(closure)), self._gradient()
            back()
            return Point(t, loss, gradient, gradient.dot(direction).item())

        return strong_wolfe(evaluate, start, t, _largest(direction), tolerance)

    def _call(self, closure: Callable[[], Any]) -> Any:
        with enable_grad():
            return closure()

    def _gradient(self) -> Tensor:
        return cat([(p.new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1)) for p in self._parameters()])

    def _move(self, direction: Tensor, t: float) -> None:
        start = 0
        for p in self._parameters():
            p.add_(direction[start : start + p.numel()].reshape(p.shape), alpha=t)
            start += p.numel()


def _largest(x: Tensor) -> float:
    return x.abs().max().item()


def _count(state: State, name: str, more: int) -> None:
    state[name] = state.get(name, 0) + more


__all__ = ["LBFGS"]
