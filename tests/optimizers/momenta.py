"""Momentum methods, and every way of keeping a state that is not `self.state[p]["name"]`."""

from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field

import torch
from torch import optim
from torch.optim import Optimizer


class Lion(Optimizer):
    """Signs of interpolated momentum, weight decay apart."""

    def __init__(self, params, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                state = self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg, (beta1, beta2) = state["exp_avg"], group["betas"]
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                update = exp_avg.clone().mul_(beta1).add(p.grad, alpha=1 - beta1).sign_()
                p.add_(update, alpha=-group["lr"])
                exp_avg.mul_(beta2).add_(p.grad, alpha=1 - beta2)


class SignSGD(Optimizer):
    """No state but a count on the optimizer, which every third step does more."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, dict(lr=lr))
        self.steps = 0

    @torch.no_grad()
    def step(self):
        self.steps += 1
        factor = 2.0 if self.steps % 3 == 0 else 1.0
        for group in self.param_groups:
            for p in group["params"]:
                p -= factor * group["lr"] * torch.sign(p.grad)


class Rprop(Optimizer):
    """Step sizes in lists beside the parameters, in the order of these."""

    def __init__(self, params, lr=0.01, etas=(0.5, 1.2), limits=(1e-6, 1.0)):
        super().__init__(params, dict(lr=lr, etas=etas, limits=limits))
        self.sizes = [[torch.full_like(p, g["lr"]) for p in g["params"]] for g in self.param_groups]
        self.before = [[torch.zeros_like(p) for p in g["params"]] for g in self.param_groups]

    @torch.no_grad()
    def step(self):
        for g, group in enumerate(self.param_groups):
            (shrink, grow), (least, most) = group["etas"], group["limits"]
            for i, p in enumerate(group["params"]):
                agreement = (p.grad * self.before[g][i]).sign()
                factor = torch.where(agreement > 0, grow, torch.where(agreement < 0, shrink, 1.0))
                self.sizes[g][i].mul_(factor).clamp_(least, most)
                grad = torch.where(agreement < 0, torch.zeros_like(p.grad), p.grad)
                p.sub_(grad.sign() * self.sizes[g][i])
                self.before[g][i] = grad.clone()


class MomentumByIdentity(Optimizer):
    """A dictionary of its own, keyed by `id(p)`, filled when a gradient is first seen."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))
        self.velocity = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if id(p) not in self.velocity:
                    self.velocity[id(p)] = torch.zeros_like(p)
                v = self.velocity[id(p)]
                v.mul_(0.9).add_(p.grad)
                p.add_(v, alpha=-group["lr"])


class MomentumByDefault(Optimizer):
    """A defaultdict that makes what is missing, and whose values are replaced."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))
        self.velocity = defaultdict(lambda: 0.0)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                self.velocity[p] = 0.9 * self.velocity[p] + p.grad
                p.sub_(group["lr"] * self.velocity[p])


class MomentumByNumber(Optimizer):
    """Nested dictionaries: group, then position, then name."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))
        self.memory = OrderedDict()

    @torch.no_grad()
    def step(self):
        for g, group in enumerate(self.param_groups):
            of_group = self.memory.setdefault(g, {})
            for i, p in enumerate(group["params"]):
                of_one = of_group.setdefault(i, {"count": 0, "moments": {"first": torch.zeros_like(p)}})
                of_one["count"] += 1
                of_one["moments"]["first"].lerp_(p.grad, 0.1)
                p.sub_(of_one["moments"]["first"] * (group["lr"] / (1 - 0.9 ** of_one["count"])))


class MomentumInTuples(Optimizer):
    """A tuple in the state, which can only be replaced."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                m, v = state.get("moments", (torch.zeros_like(p), torch.ones_like(p)))
                m, v = 0.9 * m + 0.1 * p.grad, 0.9 * v + 0.1 * p.grad**2
                state["moments"] = (m, v)
                p.sub_(group["lr"] * m / v.sqrt())


@dataclass
class Memory:
    """What is kept for one parameter."""

    momentum: torch.Tensor
    count: int = 0
    norms: list = field(default_factory=list)


class MomentumInObjects(Optimizer):
    """An object for each parameter."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))
        self.memories = [Memory(torch.zeros_like(p)) for g in self.param_groups for p in g["params"]]

    @torch.no_grad()
    def step(self):
        for p, memory in zip(self.param_groups[0]["params"], self.memories):
            memory.count += 1
            memory.momentum = 0.9 * memory.momentum + p.grad
            p.sub_(memory.momentum * (self.param_groups[0]["lr"] / memory.count**0.5))


class LazyObjects(Optimizer):
    """The same, made in the first step and kept in the state."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if "memory" not in self.state[p]:
                    self.state[p]["memory"] = Memory(torch.zeros_like(p))
                memory = self.state[p]["memory"]
                memory.momentum.mul_(0.9).add_(p.grad)
                memory.count += 1
                p.sub_(memory.momentum, alpha=group["lr"])


class Delayed(Optimizer):
    """Applies gradients of two steps ago: a deque that stays full."""

    def __init__(self, params, lr=0.05, delay=2):
        super().__init__(params, dict(lr=lr, delay=delay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "queue" not in state:
                    state["queue"] = deque([torch.zeros_like(p)] * group["delay"], maxlen=group["delay"])
                old = state["queue"][0]
                state["queue"].append(p.grad.clone())
                p.sub_(old, alpha=group["lr"])


class Averaged(Optimizer):
    """The mean of up to three gradients, in a list that grows and then slides."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                history = self.state[p].setdefault("history", [])
                history.append(p.grad.clone())
                if len(history) > 3:
                    history.pop(0)
                p.sub_(sum(history) / len(history), alpha=group["lr"])


class AggMo(Optimizer):
    """A list of buffers in the state, one for each beta."""

    def __init__(self, params, lr=0.02, betas=(0.0, 0.9, 0.99)):
        super().__init__(params, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            total = len(group["betas"])
            for p in group["params"]:
                state = self.state[p]
                if "buffers" not in state:
                    state["buffers"] = [torch.zeros_like(p) for _ in group["betas"]]
                for buffer, beta in zip(state["buffers"], group["betas"]):
                    buffer.mul_(beta).add_(p.grad)
                    p.sub_(buffer, alpha=group["lr"] / total)


class PID(Optimizer):
    """Proportional, integral and derivative parts; the first step is another one."""

    def __init__(self, params, lr=0.02, momentum=0.9, integral=1.0, derivative=2.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, integral=integral, derivative=derivative))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                d_p, state = p.grad, self.state[p]
                if "i_buffer" not in state:
                    state["i_buffer"] = torch.clone(d_p)
                    state["grad_buffer"] = torch.clone(d_p)
                    state["d_buffer"] = torch.zeros_like(p)
                else:
                    state["i_buffer"].mul_(group["momentum"]).add_(d_p)
                    state["d_buffer"].mul_(0.9).add_(d_p - state["grad_buffer"], alpha=0.1)
                    state["grad_buffer"] = d_p.clone()
                update = d_p + group["integral"] * state["i_buffer"] + group["derivative"] * state["d_buffer"]
                p.add_(update, alpha=-group["lr"])


class QHM(Optimizer):
    """A method of its own for each parameter, hyperparameters unpacked from the group."""

    def __init__(self, params, lr=0.05, momentum=0.99, nu=0.7):
        super().__init__(params, dict(lr=lr, momentum=momentum, nu=nu))

    def _update(self, p, *, lr, momentum, nu, **rest):
        buffer = self.state[p].get("buffer")
        if buffer is None:
            buffer = self.state[p]["buffer"] = torch.zeros_like(p)
        buffer.mul_(momentum).add_(p.grad, alpha=1 - momentum)
        p.add_(nu * buffer + (1 - nu) * p.grad, alpha=-lr)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            options = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                self._update(p, **options)


class AccSGD(Optimizer):
    """A copy of the weights in the state, and small weights made from floats of the group."""

    def __init__(self, params, lr=0.05, kappa=100.0, xi=10.0):
        super().__init__(params, dict(lr=lr, kappa=kappa, xi=xi, const=0.7))

    def step(self):
        for group in self.param_groups:
            large = group["lr"] * group["kappa"] / group["const"]
            alpha = 1.0 - group["const"] ** 2 * group["xi"] / group["kappa"]
            zeta = group["const"] / (group["const"] + 1.0 - alpha)
            for p in group["params"]:
                d_p, state = p.grad.data, self.state[p]
                if len(state) == 0:
                    state["copy"] = p.data.clone()
                state["copy"].mul_((1.0 / (1.0 - alpha)) - 1.0).add_(d_p, alpha=-large).add_(p.data)
                state["copy"].mul_(1.0 - alpha)
                p.data.add_(d_p, alpha=-group["lr"]).mul_(zeta).add_(state["copy"], alpha=1.0 - zeta)


class Foreach(Optimizer):
    """Lists of tensors, updated together."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            params, grads, moments, counts = [], [], [], []
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        state["step"], state["moment"] = torch.tensor(0.0), torch.zeros_like(p)
                    params.append(p)
                    grads.append(p.grad)
                    moments.append(state["moment"])
                    counts.append(state["step"])
            torch._foreach_add_(counts, 1)
            torch._foreach_mul_(moments, 0.9)
            torch._foreach_add_(moments, grads, alpha=0.1)
            updates = torch._foreach_div(moments, [1 - 0.9**count for count in counts])
            torch._foreach_add_(params, updates, alpha=-group["lr"])


class Inherited(optim.SGD):
    """A library's optimizer with a step and a state of its own."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].get("momentum_buffer", torch.zeros_like(p)) * 0.9 + p.grad
                self.state[p]["momentum_buffer"] = m
                self.state[p]["n"] = self.state[p].get("n", 0) + 1
                p.sub_(m / self.state[p]["n"] ** 0.5, alpha=group["lr"])


class Extended(optim.AdamW):
    """A library's step, and an average of the weights beside its state."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "ema" not in state:
                    state["ema"] = p.detach().clone()
                state["ema"].lerp_(p, 0.1)
                p.lerp_(state["ema"], 0.01)
        return loss


class Attributes(optim.SGD):
    """A library's step, and attributes of the optimizer around it."""

    calls = 0

    def step(self, closure=None):
        type(self).calls += 1
        self.own = getattr(self, "own", 0) + 1
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.mul_(1 / self.own)
        super().step(closure)


class Scaled:
    """A mixin that keeps numbers."""

    scale = 1.0

    def rescale(self):
        self.scale *= 0.9
        return self.scale


class Mixed(Scaled, optim.RMSprop):
    """A mixin before a library's class."""

    def step(self, closure=None):
        factor = self.rescale()
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.mul_(factor)
        return super().step(closure)


class Slotted(Optimizer):
    """Counts in slots."""

    __slots__ = ("count",)

    def __init__(self, params, lr=0.05):
        super().__init__(params, dict(lr=lr))
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=0.05 / self.count)


def sgd(model):
    return Inherited(model.parameters(), lr=0.05)


def adamw(model):
    return Extended(model.parameters(), lr=0.02)


def attributes(model):
    Attributes.calls = 0
    return Attributes(model.parameters(), lr=0.1, momentum=0.9)


def mixed(model):
    return Mixed(model.parameters(), lr=0.01)


def groups(kind):
    """Two groups with other options."""

    def make(model):
        weights = [p for p in model.parameters() if p.dim() > 1]
        biases = [p for p in model.parameters() if p.dim() < 2]
        return kind([{"params": weights}, {"params": biases, "lr": 0.003}])

    make.__name__ = f"{kind.__name__}_in_groups"
    return make


OPTIMIZERS = [
    *(Lion, SignSGD, Rprop, MomentumByIdentity, MomentumByDefault, MomentumByNumber, MomentumInTuples),
    *(MomentumInObjects, LazyObjects, Delayed, Averaged, AggMo, PID, QHM, AccSGD, Foreach, Slotted),
    *(sgd, adamw, attributes, mixed, groups(Lion), groups(MomentumByNumber), groups(Rprop)),
]
