"""What is believed of hidden things: densities, filters, actions, paths."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, rand, randint, randn, trainer
from torch import optim
from torch.autograd import Function
from torch.distributions import (
    Beta,
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    StudentT,
    kl_divergence,
)


class Process(nn.Module):
    def __init__(self):
        super().__init__()
        self.length, self.size, self.noise = (nn.Parameter(torch.tensor(x)) for x in (0.0, 0.0, -2.0))

    def forward(self, x, y):
        kernel = self.size.exp() * torch.exp(-0.5 * torch.cdist(x, x) ** 2 / self.length.exp() ** 2)
        factor = torch.linalg.cholesky(kernel + self.noise.exp() * torch.eye(len(x)))
        weights = torch.cholesky_solve(y, factor)
        return 0.5 * (y * weights).sum() + factor.diagonal().log().sum() + 0.5 * len(x) * math.log(2 * math.pi)


def processes():
    """The evidence of a Gaussian process; a Kalman filter whose matrices are learned through it."""
    model = Process()
    step = trainer(optim.Adam(model.parameters(), 0.1), model)
    x = 4 * rand(0, 10, 1)
    for _ in range(3):
        log(step(x, torch.sin(x)))
    norms(model)

    a, q, r = nn.Parameter(torch.eye(2) * 0.9), nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    seen = torch.tensor([[1.0, 0.0]])

    def filtered(ys):
        mean, spread, total = torch.zeros(2), torch.eye(2), 0
        for y in ys:
            mean, spread = a @ mean, a @ spread @ a.T + torch.diag(q.exp())
            expected = seen @ spread @ seen.T + r.exp().diag()
            gain, wrong = spread @ seen.T @ torch.inverse(expected), y - seen @ mean
            total = total + 0.5 * (wrong @ torch.linalg.solve(expected, wrong) + torch.logdet(expected))
            mean, spread = mean + gain @ wrong, (torch.eye(2) - gain @ seen) @ spread
        return total

    step = trainer(optim.Adam([a, q, r], 1e-2), filtered)
    for i in range(3):
        log(step(randn(i, 5, 1)))
    log(a.norm(), q.norm(), r.norm())


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.action_var = torch.full((2,), 0.36)
        self.actor = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2), nn.Tanh())
        self.critic = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def evaluate(self, state, action):
        mean = self.actor(state)
        choice = MultivariateNormal(mean, torch.diag_embed(self.action_var.expand_as(mean)))
        return choice.log_prob(action), self.critic(state), choice.entropy()


def continuous_actions():
    """Clipped ratios of densities with a covariance; a bounded policy of beta distributions."""
    policy = fill(Actor())
    groups = [{"params": policy.actor.parameters(), "lr": 3e-3}, {"params": policy.critic.parameters(), "lr": 1e-2}]
    optimizer = optim.Adam(groups)

    @compiled
    def epoch(states, actions, before, rewards):
        found, values, entropy = policy.evaluate(states, actions)
        values = torch.squeeze(values)
        ratios, better = torch.exp(found - before.detach()), rewards - values.detach()
        loss = -torch.min(ratios * better, torch.clamp(ratios, 0.8, 1.2) * better)
        loss = loss + 0.5 * F.mse_loss(values, rewards) - 0.01 * entropy
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        return loss.mean()

    states, actions = randn(0, 6, 3), randn(1, 6, 2)
    before = policy.evaluate(states, actions)[0].detach()
    for i in range(3):
        log(epoch(states, actions, before, randn(i + 2, 6)))
    norms(policy)

    net = fill(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4), nn.Softplus()))

    def bounded(states, actions, better):
        choice = Independent(Beta(*(net(states) + 1).chunk(2, -1)), 1)
        return -(choice.log_prob(actions) * better).mean() - 0.01 * choice.entropy().mean()

    step = trainer(optim.Adam(net.parameters(), 1e-2), bounded)
    for i in range(3):
        log(step(randn(i, 6, 3), 0.05 + 0.9 * rand(i, 6, 2), randn(i, 6)))
    norms(net)


def mixtures():
    """Mixture densities, heavy tails, counts, and a divergence from what was believed before."""
    body, heads = nn.GRU(1, 6, batch_first=True), nn.Linear(6, 14)
    fill(body, heads)
    believed = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)

    def loss_of(x, y, counts):
        parts = heads(body(x)[0])
        weights, means, scales = parts[..., :9].chunk(3, -1)
        mixture = MixtureSameFamily(Categorical(logits=weights), Normal(means, torch.exp(scales)))
        n, mean, scale, total, logits = parts[..., 9:].unbind(-1)
        tails = StudentT(2 + F.softplus(n), mean, F.softplus(scale) + 0.1)
        often = NegativeBinomial(F.softplus(total) + 0.1, logits=logits)
        likely = mixture.log_prob(y) + tails.log_prob(y) + often.log_prob(counts)
        return kl_divergence(Independent(Normal(means, scales.exp()), 1), believed).mean() - likely.mean()

    step = trainer(optim.Adam([*body.parameters(), *heads.parameters()], 1e-2), loss_of)
    for i in range(3):
        log(step(randn(i, 3, 5, 1), randn(i + 9, 3, 5), randint(i, 6, 3, 5).float()))
    norms(body, heads)


def runge_kutta(f, z, h):
    a = f(z)
    b = f(z + h / 2 * a)
    c = f(z + h / 2 * b)
    return z + h / 6 * (a + 2 * b + 2 * c + f(z + h * c))


class Adjoint(Function):
    """Keeps the path alone, and takes gradients step by step, backwards in time."""

    @staticmethod
    def forward(ctx, z, times, weights, f):
        path = [z]
        with torch.no_grad():
            for k in range(len(times) - 1):
                path.append(runge_kutta(f, path[-1], times[k + 1] - times[k]))
        path = torch.stack(path)
        ctx.f = f
        ctx.save_for_backward(times, path.clone(), weights)
        return path

    @staticmethod
    def backward(ctx, slopes):
        times, path, weights = ctx.saved_tensors
        parameters = tuple(ctx.f.parameters())
        slope, total = torch.zeros_like(path[0]), torch.zeros_like(weights)
        for k in range(len(times) - 1, 0, -1):
            slope = slope + slopes[k]
            with torch.enable_grad():
                z = path[k - 1].detach().requires_grad_(True)
                reached = runge_kutta(ctx.f, z, times[k] - times[k - 1])
                slope, *found = torch.autograd.grad(reached, (z, *parameters), slope)
            total = total + torch.cat([g.flatten() for g in found])
        return slope + slopes[0], None, total, None


def paths():
    """An ordinary differential equation, learned by the adjoint method."""
    f = fill(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)))

    def loss_of(z, times, target):
        weights = torch.cat([p.contiguous().view(-1) for p in f.parameters()])
        return torch.mean(torch.abs(Adjoint.apply(z, times, weights, f) - target))

    step = trainer(optim.RMSprop(f.parameters(), 1e-2), loss_of)
    for i in range(3):
        log(step(randn(i, 3, 2), torch.linspace(0.0, 1.0, 5), randn(i + 9, 5, 3, 2)))
    norms(f)


PROGRAMS = (processes, continuous_actions, mixtures, paths)
