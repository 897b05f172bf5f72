"""Two networks against each other, and networks that learn by comparison."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, rand, randint, randn
from torch import autograd, optim
from torch.nn.parameter import Parameter


def start(m):
    kind = m.__class__.__name__
    if kind.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif kind.find("BatchNorm") != -1:
        nn.init.constant_(m.bias.data, 0)


def adversaries():
    """Three passes through the discriminator in one step, labels refilled in place, two optimizers, a dictionary."""
    up = [nn.ConvTranspose2d(3, 4, 4, 1, 0, bias=False), nn.BatchNorm2d(4), nn.ReLU(True)]
    g = nn.Sequential(*up, nn.ConvTranspose2d(4, 1, 4, 2, 1, bias=False), nn.Tanh())
    down = [nn.Conv2d(1, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2, inplace=True)]
    d = nn.Sequential(*down, nn.Conv2d(4, 1, 4, 1, 0, bias=False), nn.Sigmoid())
    g.apply(start)
    d.apply(start)
    fill(g, d)
    criterion = nn.BCELoss()
    opt_d = optim.Adam(d.parameters(), lr=2e-3, betas=(0.5, 0.999))
    opt_g = optim.Adam(g.parameters(), lr=2e-3, betas=(0.5, 0.999))

    @compiled
    def step(real, noise):
        d.zero_grad()
        label = torch.full((real.size(0),), 1.0, dtype=torch.float)
        right = criterion(d(real).view(-1), label)
        right.backward()
        fake = g(noise)
        label.fill_(0.0)
        judged = d(fake.detach()).view(-1)
        wrong = criterion(judged, label)
        wrong.backward()
        opt_d.step()
        g.zero_grad()
        label.fill_(1.0)
        loss = criterion(d(fake).view(-1), label)
        loss.backward()
        opt_g.step()
        return {"d": right + wrong, "g": loss, "judged": (judged.mean(), judged.max())}

    for i in range(3):
        found = step(randn(i, 3, 1, 8, 8), randn(100 + i, 3, 3, 1, 1))
        log(found["d"], found["g"], *found["judged"])
    norms(g, d)


def gradient_penalty():
    """The gradient's norm in the loss, and parameters that are switched off while the other network learns."""
    d = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.Softplus(), nn.Linear(8, 1))
    g = nn.Sequential(
        nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8, 0.8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 6)
    )
    fill(g, d)
    opt_d, opt_g = (optim.Adam(m.parameters(), lr=1e-3, betas=(0.5, 0.9)) for m in (d, g))

    @compiled
    def judge(real, noise, alpha):
        for p in d.parameters():
            p.requires_grad = True
        opt_d.zero_grad()
        fake = g(noise).detach()
        alpha = alpha.expand(real.size())
        between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        judged = d(between)
        ones = torch.ones(judged.size())
        gradients = autograd.grad(judged, between, grad_outputs=ones, create_graph=True, retain_graph=True)[0]
        penalty = 10 * ((gradients.norm(2, dim=1) - 1) ** 2).mean()
        loss = -torch.mean(d(real)) + torch.mean(d(fake)) + penalty
        loss.backward()
        opt_d.step()
        return loss, penalty

    @compiled
    def forge(noise):
        for p in d.parameters():
            p.requires_grad = False
        opt_g.zero_grad()
        loss = -d(g(noise)).mean()
        loss.backward()
        opt_g.step()
        return loss

    for i in range(4):
        log(*judge(randn(i, 4, 6), randn(30 + i, 4, 3), rand(60 + i, 4, 1)))
        if i % 2 == 1:
            log(forge(randn(90 + i, 4, 3)))
    norms(g, d)


class Spectral(nn.Linear):
    """A matrix divided by its largest singular value, which a buffer approaches while training."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("u", torch.ones(1, self.out_features))

    def forward(self, x):
        w = self.weight
        with torch.no_grad():
            v = F.normalize(self.u @ w, dim=1)
            u = F.normalize(v @ w.t(), dim=1)
            if self.training:
                self.u.copy_(u)
        return F.linear(x, w / torch.sum(u @ w * v), self.bias)


def least_squares():
    """Labels by embedding, least squares, spectral normalization with a buffer that each pass updates."""
    of_g, of_d = nn.Embedding(4, 4), nn.Embedding(4, 4)
    g = nn.Sequential(
        nn.Linear(3 + 4, 6, bias=False), nn.BatchNorm1d(6), nn.LeakyReLU(0.2, inplace=True), nn.Linear(6, 5), nn.Tanh()
    )
    d = nn.Sequential(Spectral(5 + 4, 6), nn.LeakyReLU(0.2), Spectral(6, 1))
    left, right = nn.ModuleList([of_g, g]), nn.ModuleList([of_d, d])
    fill(left, right)
    opt_g, opt_d = (optim.Adam(m.parameters(), lr=1e-2, betas=(0.5, 0.999)) for m in (left, right))
    square = nn.MSELoss()

    @compiled
    def step(real, labels, noise):
        valid = torch.ones(len(real), 1, requires_grad=False)
        opt_g.zero_grad()
        fake = g(torch.cat((of_g(labels), noise), -1))
        loss_g = square(d(torch.cat((fake, of_d(labels)), -1)), valid)
        loss_g.backward()
        opt_g.step()
        opt_d.zero_grad()
        loss_d = square(d(torch.cat((real, of_d(labels)), -1)), valid)
        loss_d = (loss_d + square(d(torch.cat((fake.detach(), of_d(labels)), -1)), torch.zeros_like(valid))) / 2
        loss_d.backward()
        opt_d.step()
        return loss_g, loss_d

    for i in range(3):
        log(*step(randn(i, 4, 5), torch.LongTensor([i % 4, 1, 2, 0]), randn(20 + i, 4, 3)))
    norms(left, right)


class Margin(nn.Module):
    """Angles to the classes' directions, with a margin for the right one."""

    def __init__(self, inputs, classes, scale=10.0, margin=0.3):
        super().__init__()
        self.weight = Parameter(torch.FloatTensor(classes, inputs))
        nn.init.xavier_uniform_(self.weight)
        self.scale, self.cos, self.sin = scale, math.cos(margin), math.sin(margin)

    def forward(self, x, label):
        cosine = F.linear(F.normalize(x), F.normalize(self.weight))
        sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(1e-6, 1))
        moved = torch.where(cosine > -self.cos, cosine * self.cos - sine * self.sin, cosine - 0.1)
        hot = torch.zeros(cosine.size(), device=x.device)
        hot.scatter_(1, label.view(-1, 1).long(), 1)
        output = hot * moved + (1.0 - hot) * cosine
        output *= self.scale
        return output


def hardest(x, labels, margin=0.2):
    distances = torch.cdist(x, x)
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    itself = torch.eye(len(labels), dtype=torch.bool)
    near = (distances * (same & ~itself).float()).max(dim=1, keepdim=True)[0]
    far = (distances + distances.max() * same.float()).min(dim=1, keepdim=True).values
    return F.relu(near - far + margin).mean()


def comparisons():
    """Pairs, triplets, the hardest in a batch, margins between angles; rates by MultiStepLR."""
    layers = [nn.ReflectionPad2d(1), nn.Conv2d(1, 2, 3), nn.PReLU(), nn.BatchNorm2d(2), nn.MaxPool2d(2, stride=2)]
    net, angles = nn.Sequential(*layers, nn.Flatten(), nn.Linear(18, 5)), Margin(5, 3)
    fill(net, angles)
    triplet = nn.TripletMarginLoss(margin=1.0, p=2)
    optimizer = optim.SGD([*net.parameters(), *angles.parameters()], lr=5e-3, momentum=0.9)
    schedule = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.3)

    @compiled
    def step(one, two, differs, classes):
        optimizer.zero_grad()
        one, two = net(one), net(two)
        distance = F.pairwise_distance(one, two, keepdim=True)
        pairs = (1 - differs) * torch.pow(distance, 2) + differs * torch.pow(torch.clamp(2 - distance, min=0.0), 2)
        loss = torch.mean(pairs) + hardest(one, classes) + triplet(one, two, one.roll(1, 0))
        loss = loss + F.cross_entropy(angles(one, classes), classes)
        loss.backward()
        optimizer.step()
        return loss

    for i in range(3):
        log(step(randn(i, 4, 1, 6, 6), randn(20 + i, 4, 1, 6, 6), randint(i, 2, 4, 1), randint(i, 3, 4)))
        schedule.step()
    norms(net, angles)


def layers(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )


class Bootstrap(nn.Module):
    """A network that predicts what its own slow average says."""

    def __init__(self):
        super().__init__()
        self.online, self.predictor, self.target = layers(6, 8, 4), layers(4, 8, 4), None

    @torch.no_grad()
    def follow(self, keep=0.99):
        for fast, slow in zip(self.online.parameters(), self.target.parameters()):
            slow.data.mul_(keep).add_(fast.data, alpha=1 - keep)

    def forward(self, one, two):
        with torch.no_grad():
            wanted = [self.target(two), self.target(one)]
        guesses = [self.predictor(self.online(x)) for x in (one, two)]
        pairs = [(F.normalize(p, dim=-1), F.normalize(t.detach(), dim=-1)) for p, t in zip(guesses, wanted)]
        return sum((2 - 2 * (p * t).sum(dim=-1)).mean() for p, t in pairs)


def views():
    """Two views of each sample: contrast within the batch, and prediction of an averaged network."""
    bootstrap = Bootstrap()
    fill(bootstrap)
    bootstrap.target = copy.deepcopy(bootstrap.online)
    for p in bootstrap.target.parameters():
        p.requires_grad_(False)
    contrast = fill(layers(6, 8, 4))
    opt1 = optim.Adam((p for p in bootstrap.parameters() if p.requires_grad), lr=3e-3)
    opt2 = optim.AdamW(contrast.parameters(), 3e-3, weight_decay=1e-4)

    @compiled
    def step(both):
        loss = bootstrap(*both)
        opt1.zero_grad()
        loss.backward()
        opt1.step()
        bootstrap.follow()
        z = contrast(torch.cat(both, dim=0))
        similar = F.cosine_similarity(z.unsqueeze(1), z.unsqueeze(0), dim=2) / 0.5
        n = len(both[0])
        right = torch.cat((torch.diag(similar, n), torch.diag(similar, -n)), dim=0).reshape(2 * n, 1)
        others = (torch.exp(similar) * ~torch.eye(2 * n, dtype=torch.bool)).sum(dim=1, keepdim=True)
        against = (-torch.log(torch.exp(right) / others)).sum() / (2 * n)
        opt2.zero_grad()
        against.backward()
        opt2.step()
        return loss, against

    for i in range(3):
        x = randn(i, 3, 6)
        log(*step([x, x + 0.1 * randn(i + 10, 3, 6)]))
    norms(bootstrap.target[0], bootstrap.predictor[3], contrast)


PROGRAMS = (adversaries, gradient_penalty, least_squares, comparisons, views)
