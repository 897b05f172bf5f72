"""Adaptive methods as packages write them: an abstract base, `torch.no_grad` in many forms, counts of every kind."""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from typing import Generic, TypeVar

import torch
from torch.optim import Optimizer

T = TypeVar("T")


class Base(ABC, Optimizer):
    """What a package's optimizers share."""

    @abstractmethod
    def init_group(self, group): ...

    @staticmethod
    def decay(p, rate, amount, decoupled):
        if decoupled:
            p.mul_(1.0 - rate * amount)
        elif p.grad is not None:
            p.grad.add_(p, alpha=amount)

    @staticmethod
    def debias(beta, step):
        return 1.0 - math.pow(beta, step)


class AdamInBase(Base):
    """A count per group, moments in the state."""

    def __init__(self, params, lr=0.02, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def init_group(self, group):
        for p in group["params"]:
            state = self.state[p]
            if len(state) == 0:
                state["exp_avg"] = torch.zeros_like(p)
                state["exp_avg_sq"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if "step" not in group:
                self.init_group(group)
                group["step"] = 1
            else:
                group["step"] += 1
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.decay(p, group["lr"], group["weight_decay"], True)
                m, v = self.state[p]["exp_avg"], self.state[p]["exp_avg_sq"]
                m.mul_(beta1).add_(p.grad, alpha=1.0 - beta1)
                v.mul_(beta2).addcmul_(p.grad, p.grad, value=1.0 - beta2)
                denominator = v.sqrt().div_(math.sqrt(self.debias(beta2, group["step"]))).add_(group["eps"])
                p.addcdiv_(m, denominator, value=-group["lr"] / self.debias(beta1, group["step"]))
        return loss


class Generics(Optimizer, Generic[T]):
    """A generic class, with a count in the state that is a tensor of its own."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros(())
                    state["square"] = torch.ones_like(p)
                state["step"] += 1
                state["square"].lerp_(p.grad.square(), 0.1)
                p -= group["lr"] * p.grad / (state["square"].sqrt() * (1 - 0.9 ** state["step"]) + 1e-6)


class AdaBelief(Optimizer):
    """The step count is an int in the state; amsgrad by an option in the group."""

    def __init__(self, params, lr=0.02, betas=(0.9, 0.999), eps=1e-12, amsgrad=True, rectify=False):
        if not lr >= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, rectify=rectify))

    def step(self, closure=None):
        with torch.no_grad():
            for group in self.param_groups:
                beta1, beta2 = group["betas"]
                for p in group["params"]:
                    grad = p.grad.data
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = torch.zeros_like(p.data)
                        state["exp_avg_var"] = torch.zeros_like(p.data)
                        if group["amsgrad"]:
                            state["max_exp_avg_var"] = torch.zeros_like(p.data)
                    state["step"] += 1
                    correction1 = 1 - beta1 ** state["step"]
                    correction2 = 1 - beta2 ** state["step"]
                    state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
                    residual = grad - state["exp_avg"]
                    state["exp_avg_var"].mul_(beta2).addcmul_(residual, residual, value=1 - beta2)
                    variance = state["exp_avg_var"]
                    if group["amsgrad"]:
                        torch.max(state["max_exp_avg_var"], variance.add_(group["eps"]), out=state["max_exp_avg_var"])
                        variance = state["max_exp_avg_var"]
                    denominator = (variance.sqrt() / math.sqrt(correction2)).add_(group["eps"])
                    p.data.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / correction1)


class RAdam(Optimizer):
    """Branches on what follows from the count, and keeps the results in a buffer of ten lists."""

    def __init__(self, params, lr=0.02, betas=(0.9, 0.95)):
        self.buffer = [[None, None, None] for _ in range(10)]
        super().__init__(params, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["m"], state["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                state["v"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                state["m"].mul_(beta1).add_(p.grad, alpha=1 - beta1)
                state["step"] += 1
                buffered = self.buffer[int(state["step"] % 10)]
                if state["step"] == buffered[0]:
                    length, size = buffered[1], buffered[2]
                else:
                    buffered[0] = state["step"]
                    decayed = beta2 ** state["step"]
                    longest = 2 / (1 - beta2) - 1
                    length = longest - 2 * state["step"] * decayed / (1 - decayed)
                    buffered[1] = length
                    if length >= 5:
                        size = math.sqrt(
                            (1 - decayed)
                            * (length - 4)
                            / (longest - 4)
                            * (length - 2)
                            / length
                            * longest
                            / (longest - 2)
                        ) / (1 - beta1 ** state["step"])
                    else:
                        size = 1.0 / (1 - beta1 ** state["step"])
                    buffered[2] = size
                if length >= 5:
                    p.addcdiv_(state["m"], state["v"].sqrt().add_(1e-8), value=-size * group["lr"])
                else:
                    p.add_(state["m"], alpha=-size * group["lr"])


class AdaBound(Optimizer):
    """Bounds that depend on the count, and rates of before in a list of the optimizer's own."""

    def __init__(self, params, lr=0.02, final_lr=0.1, gamma=0.01):
        super().__init__(params, dict(lr=lr, final_lr=final_lr, gamma=gamma))
        self.base_lrs = list(map(lambda group: group["lr"], self.param_groups))

    def __setstate__(self, state):
        super().__setstate__(state)

    def step(self, closure=None):
        for group, base_lr in zip(self.param_groups, self.base_lrs):
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["m"] = torch.zeros_like(p.data)
                    state["v"] = torch.zeros_like(p.data)
                state["step"] += 1
                state["m"].mul_(0.9).add_(grad, alpha=0.1)
                state["v"].mul_(0.99).addcmul_(grad, grad, value=0.01)
                denominator = state["v"].sqrt().add_(1e-8)
                final = group["final_lr"] * group["lr"] / base_lr
                lower = final * (1 - 1 / (group["gamma"] * state["step"] + 1))
                upper = final * (1 + 1 / (group["gamma"] * state["step"]))
                size = group["lr"] * math.sqrt(1 - 0.99 ** state["step"]) / (1 - 0.9 ** state["step"])
                rates = torch.full_like(denominator, size).div_(denominator).clamp_(lower, upper).mul_(state["m"])
                p.data.add_(-rates)


class Yogi(Optimizer):
    """Starts its second moment from the first gradient."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "v" not in state:
                    state.update(step=0, m=torch.full_like(p, 1e-6), v=p.grad.clone().pow_(2))
                state["step"] = state["step"] + 1
                square = p.grad * p.grad
                state["m"].mul_(0.9).add_(p.grad, alpha=0.1)
                state["v"].addcmul_((state["v"] - square).sign(), square, value=-0.01)
                size = group["lr"] * math.sqrt(1 - 0.99 ** state["step"]) / (1 - 0.9 ** state["step"])
                p.addcdiv_(state["m"], state["v"].sqrt() + 1e-3, value=-size)


class Adan(Optimizer):
    """Keeps the gradient of the step before, assigned anew each time."""

    def __init__(self, params, lr=0.02, betas=(0.98, 0.92, 0.99)):
        super().__init__(params, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2, b3 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    for name in ("exp_avg", "exp_avg_diff", "exp_avg_sq"):
                        state[name] = torch.zeros_like(p)
                if state["step"] == 0:
                    state["before"] = p.grad.clone()
                state["step"] += 1
                difference = p.grad - state["before"]
                state["exp_avg"].lerp_(p.grad, 1 - b1)
                state["exp_avg_diff"].lerp_(difference, 1 - b2)
                update = p.grad + b2 * difference
                state["exp_avg_sq"].mul_(b3).addcmul_(update, update, value=1 - b3)
                step = state["exp_avg"] + b2 * state["exp_avg_diff"]
                p.addcdiv_(step, state["exp_avg_sq"].sqrt().add_(1e-8), value=-group["lr"])
                state["before"] = p.grad.clone()


class LAMB(Optimizer):
    """A trust ratio by torch.where, kept for people to look at."""

    def __init__(self, params, lr=0.02, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state.setdefault("m", torch.zeros_like(p))
                state.setdefault("v", torch.zeros_like(p))
                state["m"].mul_(0.9).add_(p.grad, alpha=0.1)
                state["v"].mul_(0.99).addcmul_(p.grad, p.grad, value=0.01)
                update = state["m"] / (state["v"].sqrt() + 1e-6) + group["weight_decay"] * p
                weight, size = p.norm(2), update.norm(2)
                ratio = torch.where(weight > 0, torch.where(size > 0, weight / size, 1.0), 1.0)
                state["trust_ratio"] = ratio
                p.add_(update * ratio, alpha=-group["lr"])


class NovoGrad(Optimizer):
    """One number for each tensor, which is a tensor without dimensions after the first step and 0 before."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                norm = p.grad.pow(2).sum()
                if "moment" in state:
                    state["norm"] = 0.95 * state["norm"] + 0.05 * norm
                    state["moment"] = 0.9 * state["moment"] + p.grad / (state["norm"].sqrt() + 1e-8)
                else:
                    state["norm"] = norm
                    state["moment"] = p.grad / (norm.sqrt() + 1e-8)
                p -= group["lr"] * state["moment"]


class Adafactor(Optimizer):
    """Rows and columns for matrices, a whole tensor otherwise; RMS in the state; a rate by the count."""

    def __init__(self, params, lr=None):
        super().__init__(params, dict(lr=lr, decay=-0.8, clip=1.0, eps=1e-3))

    @staticmethod
    def _rms(x):
        return x.norm(2) / (x.numel() ** 0.5)

    def _rate(self, group, state):
        return max(group["eps"], 1.0) * min(1e-2, 1.0 / math.sqrt(state["step"]))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, factored = self.state[p], p.dim() >= 2
                if len(state) == 0:
                    state["step"], state["RMS"] = 0, 0
                    if factored:
                        state["row"] = torch.zeros(p.shape[:-1])
                        state["column"] = torch.zeros(p.shape[:-2] + p.shape[-1:])
                    else:
                        state["square"] = torch.zeros_like(p)
                state["step"] += 1
                state["RMS"] = self._rms(p)
                beta = 1.0 - math.pow(state["step"], group["decay"])
                square = p.grad**2 + 1e-30
                if factored:
                    state["row"].mul_(beta).add_(square.mean(dim=-1), alpha=1.0 - beta)
                    state["column"].mul_(beta).add_(square.mean(dim=-2), alpha=1.0 - beta)
                    r = (state["row"] / state["row"].mean(dim=-1, keepdim=True)).rsqrt().unsqueeze(-1)
                    update = r * state["column"].unsqueeze(-2).rsqrt() * p.grad
                else:
                    state["square"].mul_(beta).add_(square, alpha=1.0 - beta)
                    update = state["square"].rsqrt() * p.grad
                update.div_((self._rms(update) / group["clip"]).clamp_(min=1.0))
                p.add_(update, alpha=-self._rate(group, state))


class Shampoo(Optimizer):
    """A small one: a preconditioner for each dimension, by name, and its diagonal power."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                grad, state = p.grad, self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    for d, size in enumerate(grad.size()):
                        state[f"precond_{d}"] = 0.1 * torch.eye(size)
                for d in range(grad.dim()):
                    flat = grad.transpose(0, d).contiguous().view(grad.size(d), -1)
                    state[f"precond_{d}"].add_(flat @ flat.t())
                    diagonal = state[f"precond_{d}"].diagonal().pow(-0.5 / grad.dim())
                    grad = (diagonal[:, None] * flat).view(grad.transpose(0, d).shape).transpose(0, d)
                state["step"] += 1
                p.add_(grad, alpha=-group["lr"])


class Apollo(Optimizer):
    """Warms up inside of `step`, from numbers in the group."""

    def __init__(self, params, lr=0.1, init_lr=0.01, warmup=4):
        super().__init__(params, dict(lr=lr, base_lr=lr, init_lr=init_lr, warmup=warmup))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["mean"], state["hessian"] = torch.zeros_like(p), torch.zeros_like(p)
                    state["update"] = torch.zeros_like(p)
                if state["step"] < group["warmup"]:
                    rate = (group["base_lr"] - group["init_lr"]) * state["step"] / group["warmup"] + group["init_lr"]
                else:
                    rate = group["lr"]
                state["step"] += 1
                alpha = 0.1 / (1 - 0.9 ** state["step"])
                delta = p.grad - state["mean"]
                state["mean"].add_(delta, alpha=alpha)
                state["hessian"].add_(delta.abs() * 0.1)
                state["update"].copy_(state["mean"] / state["hessian"].clamp(min=1e-2))
                p.add_(state["update"], alpha=-rate)


class Products(Optimizer):
    """Products of betas as floats on the optimizer, and a running maximum that Python keeps in the group."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, dict(lr=lr, scale=1.0))
        self.product = 1.0
        self.history = defaultdict(int)

    @torch.no_grad()
    def step(self):
        self.product *= 0.9
        self.history["steps"] += 1
        for group in self.param_groups:
            group["scale"] = group["scale"] * 0.95
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.mul_(0.9).add_(p.grad, alpha=0.1)
                p.add_(m / (1 - self.product), alpha=-group["lr"] * group["scale"])


OPTIMIZERS = [
    *(AdamInBase, Generics, AdaBelief, RAdam, AdaBound, Yogi, Adan, LAMB, NovoGrad, Adafactor, Shampoo, Apollo),
    Products,
]
