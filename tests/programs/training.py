"""Ways to train: by reward, by parts, with weights of weights."""

import dataclasses
import os
import random
import tempfile
from collections import OrderedDict, deque, namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, rand, randint, randn, trainer
from torch import optim
from torch.distributions import Categorical
from torch.utils.checkpoint import checkpoint

Memory = namedtuple("Memory", ("state", "action", "after", "reward"))


class Dueling(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.value, self.advantage = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        a = self.advantage(x)
        return self.value(x) + a - a.mean(-1, keepdim=True)


def q_learning():
    """A replay memory of named tuples, a target network, gathered values, gradients clamped in place, soft updates."""
    policy, target, memory = fill(Dueling()), Dueling(), deque(maxlen=20)
    target.load_state_dict(policy.state_dict())
    optimizer = optim.AdamW(policy.parameters(), lr=1e-2, amsgrad=True)
    random.seed(1)

    @compiled
    def learn(batch, lasts):
        values = policy(batch.state).gather(1, batch.action)
        with torch.no_grad():
            best = policy(batch.after).argmax(1, keepdim=True)
            wanted = batch.reward + 0.99 * target(batch.after).gather(1, best).squeeze(1) * lasts
        loss = nn.SmoothL1Loss()(values, wanted.unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        for p in policy.parameters():
            p.grad.data.clamp_(-0.1, 0.1)
        optimizer.step()
        return loss

    state = randn(0, 1, 4)
    for t in range(12):
        action = policy(state).max(1).indices.view(1, 1) if t % 2 else torch.tensor([[t % 3]], dtype=torch.long)
        after = None if t % 5 == 4 else state * 0.9 + 0.1 * (action.item() - 1)
        memory.append(Memory(state, action, after, torch.tensor([state.abs().max().item()])))
        state = randn(t, 1, 4) if after is None else after
        if t < 9:
            continue
        batch = Memory(*zip(*random.sample(memory, 6)))
        lasts = torch.tensor(tuple(s is not None for s in batch.after), dtype=torch.bool)
        afters = torch.zeros(6, 4)
        afters[lasts] = torch.cat([s for s in batch.after if s is not None])
        log(learn(Memory(torch.cat(batch.state), torch.cat(batch.action), afters, torch.cat(batch.reward)), lasts))
        mine, theirs = policy.state_dict(), target.state_dict()
        target.load_state_dict({k: 0.05 * mine[k] + 0.95 * theirs[k] for k in mine})
    norms(policy, target)


def policy_gradient():
    """Advantages by a loop backwards in time, written into a tensor; clipped ratios of probabilities, entropy."""
    actor = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Softmax(dim=-1))
    critic = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))
    fill(actor, critic)
    groups = [{"params": actor.parameters(), "lr": 3e-3}, {"params": critic.parameters(), "lr": 1e-2}]
    optimizer = optim.Adam(groups)

    @compiled
    def advantages(states, rewards):
        with torch.no_grad():
            values = critic(states).squeeze(-1)
            found, last = torch.zeros_like(rewards), 0
            for t in reversed(range(len(rewards))):
                ahead = values[t + 1] if t + 1 < len(rewards) else 0.0
                found[t] = last = rewards[t] + 0.99 * ahead - values[t] + 0.9 * last
            return found

    @compiled
    def learn(states, actions, before, returns, advantage):
        choice = Categorical(actor(states))
        ratios = torch.exp(choice.log_prob(actions) - before.detach())
        clipped = torch.clamp(ratios, 0.8, 1.2) * advantage
        loss = -torch.min(ratios * advantage, clipped) - 0.01 * choice.entropy()
        loss = loss + 0.5 * F.mse_loss(torch.squeeze(critic(states)), returns)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        return loss.mean()

    states, actions, rewards = randn(0, 6, 6), randint(0, 4, 6), randn(7, 6)
    advantage = advantages(states, rewards)
    before = Categorical(actor(states)).log_prob(actions)
    for _ in range(3):
        log(learn(states, actions, before, rewards, (advantage - advantage.mean()) / (advantage.std() + 1e-8)))
    norms(actor, critic)


def learning_to_learn():
    """Fast weights by differentiable updates, gradients of gradients put into `.grad`."""
    model = fill(nn.Sequential(OrderedDict([("one", nn.Linear(1, 4)), ("relu", nn.ReLU()), ("two", nn.Linear(4, 1))])))
    weights = list(model.parameters())
    optimizer = optim.Adam(weights, 1e-2)

    def run(x, w):
        return F.linear(F.relu(F.linear(x, w[0], w[1])), w[2], w[3])

    @compiled
    def step(tasks):
        total = 0
        for x, y, x_test, y_test in tasks:
            fast = [w.clone() for w in weights]
            for _ in range(2):
                gradients = torch.autograd.grad(F.mse_loss(run(x, fast), y), fast, create_graph=True)
                fast = [w - 0.01 * g for w, g in zip(fast, gradients)]
            total += F.mse_loss(run(x_test, fast), y_test)
        for w, g in zip(weights, torch.autograd.grad(total, weights)):
            w.grad = g
        optimizer.step()
        return total / len(tasks)

    for i in range(3):
        xs = [rand(4 * i + k, 3, 1) for k in range(4)]
        log(step([(xs[0], torch.sin(xs[0]), xs[1], torch.sin(xs[1])), (xs[2], 2 * xs[2], xs[3], 2 * xs[3])]))
    norms(model)


def distillation():
    """A teacher's soft targets, mixed samples, layers that are frozen and freed, a checkpoint half-way."""
    teacher = fill(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)))
    student = fill(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(32, 5)))
    teacher.eval()
    for p in teacher.parameters():
        p.requires_grad = False
    optimizer = optim.SGD(student.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=0)

    @compiled
    def step(x, y, order, share):
        x = share * x + (1 - share) * x[order, :]
        output = student(x)
        with torch.no_grad():
            soft = F.softmax(teacher(x) / 4.0, dim=1)
        loss = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(output / 4.0, dim=1), soft) * 16
        loss = loss + share * F.cross_entropy(output, y) + (1 - share) * F.cross_entropy(output, y[order])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, output.data.max(1)[1].eq(y.data).cpu().sum()

    with tempfile.TemporaryDirectory() as folder:
        for epoch in range(5):
            loss, right = step(
                randn(epoch, 4, 3, 6, 6), randint(epoch, 5, 4), torch.tensor([2, 0, 3, 1]), 0.5 + 0.1 * epoch
            )
            log(loss, right, optimizer.param_groups[0]["lr"])
            plateau.step(loss.item())
            if epoch == 1:
                state = {"epoch": epoch, "model": student.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state, os.path.join(folder, "state.pt"))
                student[0].requires_grad_(False)
            if epoch == 3:
                state = torch.load(os.path.join(folder, "state.pt"))
                student.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
                student.requires_grad_(True)
    norms(student)


class LowRank(nn.Module):
    def __init__(self, linear, rank=2, alpha=4):
        super().__init__()
        self.linear, self.scale = linear, alpha / rank
        self.a = nn.Parameter(linear.weight.new_zeros((rank, linear.in_features)))
        self.b = nn.Parameter(linear.weight.new_zeros((linear.out_features, rank)))

    def forward(self, x):
        return self.linear(x) + (x @ self.a.transpose(0, 1) @ self.b.transpose(0, 1)) * self.scale


def adapt(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, LowRank(child))
        else:
            adapt(child)


class Rounded(torch.autograd.Function):
    """Values on a grid; the gradient passes where they are inside its range."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        ctx.bound = 7
        return torch.clamp(torch.round(x / scale), -8, 7) * scale

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        inside = ((x / scale) >= -8) & ((x / scale) <= ctx.bound)
        return grad * inside, (grad * torch.round(x / scale)).sum().view_as(scale)


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad.neg() * ctx.alpha, None


def adapters():
    """Low-rank additions to frozen layers, gradients of one's own, recomputed activations."""
    base = fill(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Sequential(nn.Linear(6, 6), nn.GELU())))
    for p in base.parameters():
        p.requires_grad = False
    adapt(base)
    with torch.no_grad():
        for k, m in enumerate([base[0], base[2][0]]):
            m.a.copy_(randn(k, 2, 6) * 0.1)
            m.b.copy_(randn(k + 5, 6, 2) * 0.1)
    deep = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    top, domain, grid = nn.Linear(6, 5), nn.Linear(6, 2), nn.Parameter(torch.tensor(0.04))
    fill(deep, top, domain)
    trained = [p for m in (base, deep, top, domain) for p in m.parameters() if p.requires_grad]
    optimizer = optim.NAdam([*trained, grid], lr=2e-3)

    def loss_of(x, y, d, alpha):
        h = base(x)
        h = h + checkpoint(deep, h, use_reentrant=False)
        loss = F.nll_loss(F.log_softmax(F.linear(h, Rounded.apply(top.weight, grid), top.bias), 1), y)
        return loss + F.cross_entropy(domain(Reversed.apply(h, alpha)), d)

    step = trainer(optimizer, loss_of)
    for i in range(3):
        log(step(randn(i, 3, 6), randint(i, 5, 3), randint(i, 2, 3), 0.1 * i))
    norms(base, deep, top)
    log(grid)


@dataclasses.dataclass
class Batch:
    image: torch.Tensor
    label: torch.Tensor
    box: torch.Tensor


class Tasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(27, 4), nn.ReLU())
        self.heads = nn.ModuleDict({"label": nn.Linear(4, 3), "box": nn.Linear(4, 4)})
        self.doubts = nn.ParameterDict({name: nn.Parameter(torch.zeros(1)) for name in ("label", "box")})

    def forward(self, batch):
        h = self.trunk(batch.image)
        return {name: head(h) for name, head in self.heads.items()}


def several_tasks():
    """A data class goes in, a dictionary of losses comes out."""
    model = fill(Tasks())
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)

    @compiled
    def step(batch):
        found = model(batch)
        losses = {"label": F.cross_entropy(found["label"], batch.label)}
        losses["box"] = F.smooth_l1_loss(found["box"], batch.box, beta=0.5)
        total = sum(torch.exp(-model.doubts[k]) * v + model.doubts[k] for k, v in losses.items())
        losses["total"] = total.squeeze()
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        return {k: v.detach() for k, v in losses.items()}

    for i in range(3):
        losses = step(Batch(randn(i, 3, 3, 3, 3), randint(i, 3, 3), randn(i + 4, 3, 4)))
        log(*(losses[k] for k in sorted(losses)))
    norms(model)


class Fields(nn.Module):
    """Factors of all fields in one table; a linear part, products of pairs, a deep part."""

    def __init__(self, sizes, width):
        super().__init__()
        self.linear, self.factors = nn.Embedding(sum(sizes), 1), nn.Embedding(sum(sizes), width)
        self.bias = nn.Parameter(torch.zeros((1,)))
        self.offsets = np.array((0, *np.cumsum(sizes)[:-1]), dtype=np.int64)
        self.deep = nn.Sequential(nn.Linear(len(sizes) * width, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))

    def forward(self, x):
        x = x + x.new_tensor(self.offsets).unsqueeze(0)
        v = self.factors(x)
        pairs = 0.5 * torch.sum(torch.sum(v, dim=1) ** 2 - torch.sum(v**2, dim=1), dim=1, keepdim=True)
        y = torch.sum(self.linear(x), dim=1) + self.bias + pairs + self.deep(v.view(len(x), -1))
        return torch.sigmoid(y.squeeze(1))


def recommendation():
    """Offsets from numpy, several fields of indices, binary targets."""
    model = fill(Fields([4, 5, 3], 3))
    step = trainer(optim.SGD(model.parameters(), lr=0.1), lambda x, y: nn.BCELoss()(model(x), y.float()))
    for i in range(3):
        log(step(torch.stack([randint(i * 5 + k, n, 6) for k, n in enumerate([4, 5, 3])], dim=1), randint(i, 2, 6)))
    norms(model.linear, model.factors)


PROGRAMS = (
    q_learning,
    policy_gradient,
    learning_to_learn,
    distillation,
    adapters,
    several_tasks,
    recommendation,
)
