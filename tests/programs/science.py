"""Equations, densities, scenes and graphs."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from common import fill, log, norms, rand, randint, randn, trainer
from torch import distributions, optim
from torch.nn.parameter import Parameter


def slope(y, x):
    return torch.autograd.grad(y, x, grad_outputs=torch.ones_like(y), retain_graph=True, create_graph=True)[0]


def equations():
    """A differential equation in the loss, by nested gradients; and a flow in time by four stages a step."""
    solution = fill(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)))
    field = fill(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)))
    times = torch.linspace(0.0, 1.0, 4)

    def loss_of(x, t, known_x, known_t, known):
        x.requires_grad_(True)
        t.requires_grad_(True)
        u = solution(torch.cat([x, t], dim=1))
        u_x = slope(u, x)
        residual = slope(u, t) + u * u_x - (0.1 / np.pi) * slope(u_x, x)
        return torch.mean((known - solution(torch.cat([known_x, known_t], dim=1))) ** 2) + torch.mean(residual**2)

    def distance(start, wanted):
        ys = [start]
        for t0, t1 in zip(times[:-1], times[1:]):
            dt, y = t1 - t0, ys[-1]
            k1 = field(y**3)
            k2 = field((y + dt * k1 / 2) ** 3)
            k3 = field((y + dt * k2 / 2) ** 3)
            k4 = field((y + dt * k3) ** 3)
            ys.append(y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6)
        return torch.mean(torch.abs(torch.stack(ys) - wanted))

    solve = trainer(optim.Adam(solution.parameters(), lr=1e-2), loss_of)
    follow = trainer(optim.RMSprop(field.parameters(), lr=1e-3), distance)
    for i in range(3):
        log(solve(*(rand(i + 10 * k, 5, 1) for k in range(4)), randn(i, 5, 1)))
        log(follow(randn(i, 5, 2), randn(i, 4, 5, 2)))
    norms(solution, field)


class Coupling(nn.Module):
    def __init__(self, masks, prior):
        super().__init__()
        self.prior, self.mask = prior, nn.Parameter(masks, requires_grad=False)
        self.scale = nn.ModuleList(
            [nn.Sequential(nn.Linear(2, 5), nn.LeakyReLU(), nn.Linear(5, 2), nn.Tanh()) for _ in masks]
        )
        self.shift = nn.ModuleList([nn.Linear(2, 2) for _ in range(len(masks))])

    def log_prob(self, x):
        volume = x.new_zeros(x.shape[0])
        for i in reversed(range(len(self.mask))):
            kept = self.mask[i] * x
            s, t = (f[i](kept) * (1 - self.mask[i]) for f in (self.scale, self.shift))
            x = (1 - self.mask[i]) * (x - t) * torch.exp(-s) + kept
            volume -= s.sum(dim=1)
        return self.prior.log_prob(x).sum(-1) + volume


def densities():
    """A flow of coupling layers with a prior, a score with noise of all sizes, Langevin steps through an energy."""
    prior = distributions.Normal(torch.zeros(2), torch.ones(2))
    flow = Coupling(torch.tensor([[0, 1], [1, 0]], dtype=torch.float32), prior)
    score, energy = (
        nn.Sequential(nn.Linear(3, 5), nn.Softplus(), nn.Linear(5, 2)),
        nn.Sequential(nn.Linear(2, 5), nn.SiLU(), nn.Linear(5, 1)),
    )
    fill(flow.scale, flow.shift, score, energy)

    def match(x, t, z):
        std = torch.sqrt((5.0 ** (2 * t) - 1.0) / 2.0 / math.log(5.0) + 1e-3)
        s = score(torch.cat([x + z * std[:, None], t.unsqueeze(-1)], 1)) / std[:, None]
        return torch.mean(torch.sum((s * std[:, None] + z) ** 2, dim=1))

    def contrast(real, fake, noises):
        for noise in noises:
            fake = fake.detach().requires_grad_(True)
            fake = fake - 0.1 * torch.autograd.grad(energy(fake).sum(), fake)[0].clamp(-0.03, 0.03) + 0.01 * noise
        low, high = energy(torch.cat([real, fake.detach()])).split(len(real))
        return (low - high).mean() + 0.1 * (low**2 + high**2).mean()

    steps = [
        (
            trainer(
                optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=1e-2),
                lambda x: -flow.log_prob(x).mean(),
            ),
            0,
        ),
        (trainer(optim.Adam(score.parameters(), lr=1e-2), match), 1),
        (trainer(optim.Adam(energy.parameters(), lr=1e-2, betas=(0.0, 0.999)), contrast), 2),
    ]
    for i in range(3):
        batches = [(randn(i, 4, 2),), (randn(i, 4, 2), rand(i, 4), randn(i + 7, 4, 2))]
        batches.append((randn(i, 4, 2), rand(i, 4, 2), [randn(10 * i + k, 4, 2) for k in range(2)]))
        log(*(step(*batches[k]) for step, k in steps))
    norms(flow, score, energy)


class Encoded:
    """Sines and cosines of all frequencies, as a list of functions."""

    def __init__(self, count):
        self.functions = [lambda x: x]
        for frequency in 2.0 ** torch.linspace(0.0, count - 1, steps=count):
            for wave in (torch.sin, torch.cos):
                self.functions.append(lambda x, wave=wave, frequency=frequency: wave(x * frequency))

    def __call__(self, x):
        return torch.cat([f(x) for f in self.functions], -1)


def scenes():
    """Rays through a field of colour and density, composed by a running product."""
    encode = Encoded(2)
    first, second = nn.Linear(15, 5), nn.Linear(20, 4)
    fill(first, second)
    optimizer = optim.Adam([*first.parameters(), *second.parameters()], lr=5e-3)

    def loss_of(origins, directions, wanted, jitter):
        n = jitter.shape[1]
        t = torch.linspace(0.0, 1.0, steps=n)
        z = (2.0 * (1.0 - t) + 6.0 * t).expand([origins.shape[0], n])
        middle = 0.5 * (z[..., 1:] + z[..., :-1])
        upper, lower = torch.cat([middle, z[..., -1:]], -1), torch.cat([z[..., :1], middle], -1)
        z = lower + (upper - lower) * jitter
        points = origins[..., None, :] + directions[..., None, :] * z[..., :, None]
        x = encode(torch.reshape(points, [-1, points.shape[-1]]))
        raw = second(torch.cat([x, F.relu(first(x))], -1))
        raw = torch.reshape(raw, list(points.shape[:-1]) + [4])
        gaps = torch.cat([z[..., 1:] - z[..., :-1], torch.Tensor([1e10]).expand(z[..., :1].shape)], -1)
        alpha = 1.0 - torch.exp(-F.relu(raw[..., 3]) * gaps * torch.norm(directions[..., None, :], dim=-1))
        through = torch.cumprod(torch.cat([torch.ones((len(alpha), 1)), 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
        return torch.mean((torch.sum((alpha * through)[..., None] * torch.sigmoid(raw[..., :3]), -2) - wanted) ** 2)

    step = trainer(optimizer, loss_of)
    for i in range(3):
        log(step(randn(i, 4, 3), randn(i + 3, 4, 3), rand(i, 4, 3), rand(i + 9, 4, 4)))
    norms(first, second)


class Standardized(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        mean, variance = w.mean(dim=(1, 2, 3), keepdim=True), torch.var(w, dim=(1, 2, 3), unbiased=False, keepdim=True)
        w = (w - mean) * (variance + 1e-5).rsqrt()
        return F.conv2d(x, w, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Denoiser(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim, self.start, self.out = dim, nn.Conv2d(1, dim, 1), nn.Conv2d(dim, 1, 1)
        self.time = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 2 * dim))
        self.conv, self.norm = Standardized(dim, dim, 3, padding=1), nn.GroupNorm(2, dim)
        self.qkv, self.join = nn.Conv2d(dim, 3 * dim, 1, bias=False), nn.Conv2d(dim, dim, 1)

    def forward(self, x, t):
        rates = torch.exp(torch.arange(self.dim // 2) * -(math.log(10000) / (self.dim // 2 - 1)))
        angles = t[:, None] * rates[None, :]
        scale, shift = self.time(torch.cat((angles.sin(), angles.cos()), dim=-1))[..., None, None].chunk(2, dim=1)
        x = self.start(x)
        x = x + F.silu(self.norm(self.conv(x)) * (scale + 1) + shift)
        b, c, h, w = x.shape
        q, k, v = (y.view(b, 2, -1, h * w) for y in self.qkv(x).chunk(3, dim=1))
        context = torch.einsum("b h d n, b h e n -> b h d e", k.softmax(dim=-1), v)
        y = torch.einsum("b h d e, b h d n -> b h e n", context, q.softmax(dim=-2))
        return self.out(x + self.join(y.reshape(b, c, h, w)))


def diffusion():
    """A schedule of noise looked up by `gather`, sines of the time, linear attention; steps back."""
    betas = torch.linspace(0.0001, 0.02, 10)
    kept = torch.cumprod(1.0 - betas, axis=0)
    earlier = F.pad(kept[:-1], (1, 0), value=1.0)

    def at(table, t, shape):
        return table.gather(-1, t.cpu()).reshape(t.shape[0], *((1,) * (len(shape) - 1)))

    net = fill(Denoiser(4))

    def loss_of(x, t, noise):
        noisy = at(kept.sqrt(), t, x.shape) * x + at((1.0 - kept).sqrt(), t, x.shape) * noise
        return F.smooth_l1_loss(noise, net(noisy, t))

    step = trainer(optim.Adam(net.parameters(), lr=1e-2), loss_of)
    for i in range(3):
        log(step(randn(i, 2, 1, 4, 4), randint(i, 10, 2).long(), randn(i + 10, 2, 1, 4, 4)))
    x = randn(0, 1, 1, 4, 4)
    with torch.no_grad():
        for i in reversed(range(0, 2)):
            t = torch.full((1,), i, dtype=torch.long)
            x = (x - at(betas / (1.0 - kept).sqrt(), t, x.shape) * net(x, t)) / at((1.0 - betas).sqrt(), t, x.shape)
            x = x + at((betas * (1.0 - earlier) / (1.0 - kept)).sqrt(), t, x.shape) * randn(i, *x.shape)
    log(x.abs().mean())
    norms(net)


class GraphLayer(nn.Module):
    def __init__(self, inputs, outputs, attends=False):
        super().__init__()
        self.weight = Parameter(torch.FloatTensor(inputs, outputs))
        if attends:
            self.pair = Parameter(torch.empty(size=(2 * outputs, 1)))
        else:
            self.register_parameter("pair", None)
        for p in self.parameters():
            nn.init.xavier_uniform_(p.data, gain=1.414)

    def forward(self, x, adjacency):
        h = torch.mm(x, self.weight)
        if self.pair is None:
            return torch.mm(adjacency, h)
        n = self.weight.shape[1]
        e = F.leaky_relu(torch.matmul(h, self.pair[:n, :]) + torch.matmul(h, self.pair[n:, :]).T, 0.2)
        weights = F.softmax(torch.where(adjacency > 0, e, -9e15 * torch.ones_like(e)), dim=1)
        return F.elu(torch.matmul(weights, h))


def graphs():
    """Neighbours by a normalized matrix, by masked attention, and by an edge list; sets of points."""
    edges = (randn(0, 7, 7) > 0.8).float()
    edges = ((edges + edges.T) > 0).float() + torch.eye(7)
    degrees = edges.sum(1).pow(-0.5)
    degrees[torch.isinf(degrees)] = 0.0
    adjacency = torch.diag(degrees) @ edges @ torch.diag(degrees)
    pairs = adjacency.nonzero().t()
    x, labels, known = randn(1, 7, 5), randint(2, 4, 7), torch.arange(4)
    net = fill(nn.ModuleList([GraphLayer(5, 3), GraphLayer(3, 4, attends=True), nn.Linear(5, 4), nn.Conv1d(3, 4, 1)]))

    def loss_of(x, adjacency, pairs, points):
        h = net[1](F.relu(net[0](x, adjacency)), adjacency)
        source, target = pairs
        gathered = torch.zeros_like(x).index_add_(0, target, x[source])
        count = torch.zeros(x.size(0)).scatter_add_(0, target, torch.ones(target.size(0)))
        h = h + net[2](gathered / count.clamp(min=1).view(-1, 1))
        h = h + torch.max(F.relu(net[3](points)), 2, keepdim=True)[0].squeeze(-1)
        return F.nll_loss(F.log_softmax(h, dim=1)[known], labels[known])

    step = trainer(optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-4), loss_of)
    for i in range(3):
        log(step(x, adjacency, pairs, randn(i, 1, 3, 6)))
    norms(net)


PROGRAMS = (equations, densities, scenes, diffusion, graphs)
