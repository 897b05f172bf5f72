"""What people put around optimizers: other optimizers, averages, schedules; and updates without any class."""

import copy
import functools
from collections import defaultdict

import torch
from torch import nn, optim
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


class Lookahead(Optimizer):
    """Slow weights every third step; shares groups with the optimizer inside."""

    def __init__(self, optimizer, k=3, alpha=0.5):
        self.optimizer = optimizer
        self.k, self.alpha = k, alpha
        self.param_groups = self.optimizer.param_groups
        self.state = defaultdict(dict)
        self.fast_state = self.optimizer.state
        self.defaults = optimizer.defaults
        for group in self.param_groups:
            group["counter"] = 0

    def update(self, group):
        for fast in group["params"]:
            state = self.state[fast]
            if "slow" not in state:
                state["slow"] = torch.zeros_like(fast.data)
                state["slow"].copy_(fast.data)
            slow = state["slow"]
            slow += (fast.data - slow) * self.alpha
            fast.data.copy_(slow)

    def step(self, closure=None):
        loss = self.optimizer.step(closure)
        for group in self.param_groups:
            if group["counter"] == 0:
                self.update(group)
            group["counter"] += 1
            if group["counter"] >= self.k:
                group["counter"] = 0
        return loss

    def zero_grad(self):
        self.optimizer.zero_grad()


class SAM(Optimizer):
    """Two passes; the first one moves the weights and remembers where they were."""

    def __init__(self, params, base, rho=0.05, **options):
        super().__init__(params, dict(rho=rho, **options))
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        norm = self._grad_norm()
        for group in self.param_groups:
            scale = group["rho"] / (norm + 1e-12)
            for p in group["params"]:
                self.state[p]["old_p"] = p.data.clone()
                p.add_(p.grad * scale.to(p))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def step(self, closure=None):
        assert closure is not None, "needs a closure"
        closure = torch.enable_grad()(closure)
        self.first_step(zero_grad=True)
        closure()
        self.second_step()

    def _grad_norm(self):
        return torch.norm(torch.stack([p.grad.norm(p=2) for g in self.param_groups for p in g["params"]]), p=2)


class Centralized:
    """Not an Optimizer at all: forwards what it does not know."""

    def __init__(self, optimizer):
        self.inner = optimizer

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def step(self):
        for group in self.inner.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.grad.dim() > 1:
                    p.grad.data.add_(-p.grad.data.mean(dim=tuple(range(1, p.grad.dim())), keepdim=True))
        self.inner.step()


class Noam:
    """Sets the rate of the optimizer inside, in each step, by a count of its own."""

    def __init__(self, optimizer, factor=0.05, warmup=3):
        self.optimizer, self.factor, self.warmup = optimizer, factor, warmup
        self._step = 0
        self._rate = 0

    def step(self):
        self._step += 1
        rate = self.rate()
        for p in self.optimizer.param_groups:
            p["lr"] = rate
        self._rate = rate
        self.optimizer.step()

    def zero_grad(self):
        self.optimizer.zero_grad()

    def rate(self):
        return self.factor * min(self._step ** (-0.5), self._step * self.warmup ** (-1.5))


class Warming(Optimizer):
    """Sets its own rate, by a count of its own."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=0.0))
        self.base, self.t = lr, 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            group["lr"] = self.base * min(1.0, self.t / 4)
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"])


class EMA:
    """An average of the weights by name, with a warm-up of its decay; swaps with the weights on demand."""

    def __init__(self, model, decay=0.99):
        self.decay, self.updates = decay, 0
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self, model):
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            for name, p in model.named_parameters():
                self.shadow[name] -= (1 - decay) * (self.shadow[name] - p)


class ByHand:
    """An object with lists and no base class."""

    def __init__(self, params, lr=0.05):
        self.params = list(params)
        self.lr, self.t = lr, 0
        self.m = [0 for _ in self.params]
        self.v = [0 for _ in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            self.m[i] = 0.9 * self.m[i] + 0.1 * p.grad.data
            self.v[i] = 0.99 * self.v[i] + 0.01 * p.grad.data**2
            m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.99**self.t)
            p.data -= self.lr * m / (v.sqrt() + 1e-8)


class Halving(LRScheduler):
    """A scheduler of the user's: every second step half the rate."""

    def get_lr(self):
        return [base * 0.5 ** (self.last_epoch // 2) for base in self.base_lrs]


class Momentum:
    """A schedule of another number than the rate."""

    def __init__(self, optimizer):
        self.optimizer, self.n = optimizer, 0

    def step(self):
        self.n += 1
        for group in self.optimizer.param_groups:
            group["momentum"] = min(0.9, 0.5 + 0.1 * self.n)


class Trainer:
    """The usual step, with what a wrapper has to say before and after."""

    def __init__(self, model, optimizer, after=lambda: None):
        self.model, self.optimizer, self.after = model, optimizer, after

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = ((self.model(x) - y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        self.after()
        return loss


def lookahead(model):
    return Lookahead(optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def lookahead_of_adam(model):
    return Lookahead(optim.Adam(model.parameters(), lr=0.02), k=2)


def centralized(model):
    return Centralized(optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def noam(model):
    return Noam(optim.Adam(model.parameters(), lr=0, betas=(0.9, 0.98), eps=1e-9))


def noam_of_sgd(model):
    return Noam(optim.SGD(model.parameters(), lr=0, momentum=0.9))


def ema(model):
    average = EMA(model)
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), lambda: average.update(model))
    trainer.watched = average
    return trainer


def halving(model):
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    schedule = Halving(optimizer)
    return Trainer(model, optimizer, schedule.step)


def lambda_schedule(model):
    optimizer = optim.AdamW(model.parameters(), lr=0.05)
    schedule = LambdaLR(optimizer, lambda epoch: 0.8**epoch)
    return Trainer(model, optimizer, schedule.step)


def momentum_schedule(model):
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    return Trainer(model, optimizer, Momentum(optimizer).step)


def sam(model):
    optimizer = SAM(model.parameters(), optim.SGD, lr=0.1, momentum=0.9)

    def step(x, y):
        def closure():
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            return loss

        loss = closure()
        optimizer.step(closure)
        optimizer.zero_grad()
        return loss

    trainer = Trainer(model, optimizer)
    trainer.step = step
    return trainer


def functional(model):
    """No object: gradients by autograd.grad, state in a closure."""
    params = list(model.parameters())
    velocity, count = [torch.zeros_like(p) for p in params], 0

    def step(x, y):
        nonlocal velocity, count
        count += 1
        loss = ((model(x) - y) ** 2).mean()
        grads = torch.autograd.grad(loss, params)
        velocity = [0.9 * v + g for v, g in zip(velocity, grads)]
        with torch.no_grad():
            for p, v in zip(params, velocity):
                p -= 0.1 / count**0.5 * v
        return loss

    trainer = Trainer(model, None)
    trainer.step = step
    return trainer


def patched(model):
    """A step put around a library's, as a bound attribute."""
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before = optimizer.step

    @functools.wraps(before)
    def step(*args, **options):
        optimizer.calls = getattr(optimizer, "calls", 0) + 1
        for p in model.parameters():
            p.grad.div_(optimizer.calls)
        return before(*args, **options)

    optimizer.step = step
    return optimizer


def hooked(model):
    """Hooks around a library's step."""
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    counts = {"before": 0, "after": []}

    def before(optimizer, args, options):
        counts["before"] += 1
        for p in model.parameters():
            p.grad.mul_(1 / counts["before"])

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(lambda *_: counts["after"].append(counts["before"]))
    optimizer.watched = counts
    return optimizer


def copied(model):
    """A model that follows another one, and pulls it."""
    target = copy.deepcopy(model)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @torch.no_grad()
    def after():
        for p, q in zip(model.parameters(), target.parameters()):
            q.data.mul_(0.9).add_(p.data, alpha=0.1)
            p.data.lerp_(q.data, 0.05)

    return Trainer(model, optimizer, after)


def alternating(model):
    """Two optimizers that take turns."""
    first, second = model[0], nn.Sequential(*list(model)[1:])
    optimizers = [optim.SGD(first.parameters(), lr=0.2), optim.Adagrad(second.parameters(), lr=0.05)]
    turns = {"n": 0}

    def step(x, y):
        optimizer = optimizers[turns["n"] % 2]
        turns["n"] += 1
        model.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    trainer = Trainer(model, None)
    trainer.step = step
    return trainer


OPTIMIZERS = [
    *(ByHand, Warming, lookahead, lookahead_of_adam, centralized, noam, noam_of_sgd, ema, halving, lambda_schedule),
    *(momentum_schedule, sam, functional, patched, hooked, copied, alternating),
]
