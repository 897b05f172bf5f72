"""Objects in pictures, by boxes and by likeness; optimizers and queues that people write themselves."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, randint, randn
from torch import optim


def overlap(a, b):
    """The share of the boxes' union that is in both."""
    low = torch.max(a[..., :2] - a[..., 2:4] / 2, b[..., :2] - b[..., 2:4] / 2)
    high = torch.min(a[..., :2] + a[..., 2:4] / 2, b[..., :2] + b[..., 2:4] / 2)
    both = (high - low).clamp(0).prod(-1)
    return both / (a[..., 2:4].prod(-1) + b[..., 2:4].prod(-1) - both + 1e-6)


class Layerwise(optim.Optimizer):
    """Adam, with a trust ratio for each weight, and numbers in dictionaries."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                state["mean"].mul_(first).add_(p.grad, alpha=1 - first)
                state["square"].mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
                size = group["lr"] * math.sqrt(1 - second ** state["step"]) / (1 - first ** state["step"])
                move = state["mean"] / state["square"].sqrt().add(1e-6)
                if group["weight_decay"] != 0:
                    move.add_(p, alpha=group["weight_decay"])
                ratio = p.norm() / move.norm()
                state["trust"] = torch.where(torch.isfinite(ratio), ratio.clamp(max=10), torch.ones_like(ratio))
                p.add_(move * state["trust"], alpha=-size)


class Boxes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.grid, self.classes, self.places = nn.Conv2d(8, 24, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = self.body(x)
        flat = [layer(x).permute(0, 2, 3, 1).contiguous().view(len(x), -1, 4) for layer in (self.classes, self.places)]
        return self.grid(x).reshape(len(x), 3, 8, 4, 4).permute(0, 1, 3, 4, 2), *flat


def boxes():
    """Cells that hold an object, anchors near one, hard negatives: all by masks. The optimizer is the user's own."""
    net, anchors = fill(Boxes()), torch.tensor([(0.28, 0.22), (0.38, 0.48), (0.9, 0.78)]).reshape(1, 3, 1, 1, 2)
    optimizer = Layerwise(net.parameters(), 1e-2)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (k + 1))

    def cells(found, target):
        held, empty = target[..., 0] == 1, target[..., 0] == 0
        boxes = torch.cat([found[..., 1:3].sigmoid(), found[..., 3:5].exp() * anchors], dim=-1)
        shares = overlap(boxes[held], target[..., 1:5][held]).detach().unsqueeze(-1)
        objects = F.mse_loss(found[..., 0:1][held].sigmoid(), shares * target[..., 0:1][held])
        nothing = F.binary_cross_entropy_with_logits(found[..., 0:1][empty], target[..., 0:1][empty])
        kinds = F.cross_entropy(found[..., 5:][held], target[..., 5][held].long())
        return F.mse_loss(boxes[held], target[..., 1:5][held]) + objects + nothing + kinds

    def near(classes, places, kinds, where):
        held, valid = kinds > 0, kinds > -1
        mask = held.unsqueeze(2).expand_as(places)
        moved = F.smooth_l1_loss(places[mask].view(-1, 4), where[mask].view(-1, 4), reduction="sum")
        scores, ones = classes[valid.unsqueeze(2).expand_as(classes)].view(-1, 4), torch.eye(5)[kinds[valid]][:, 1:]
        p = scores.sigmoid()
        weight = (0.25 * ones + 0.75 * (1 - ones)) * (1 - p * ones - (1 - p) * (1 - ones)).pow(2)
        focal = F.binary_cross_entropy_with_logits(scores, ones, weight.detach(), reduction="sum")
        costs = F.cross_entropy(classes.view(-1, 4), (kinds.view(-1) - 1).clamp(min=0), reduction="none").view_as(kinds)
        rest = costs.clone()
        rest[held] = 0.0
        rest, _ = rest.sort(dim=1, descending=True)
        hard = rest[torch.arange(rest.size(1)).expand_as(rest) < (3 * held.sum(1)).unsqueeze(1)].sum()
        return (moved + focal + 0.1 * (hard + costs[torch.where(held)].sum())) / held.sum().clamp(min=1)

    @compiled
    def step(x, target, kinds, where):
        grid, classes, places = net(x)
        loss = cells(grid, target) + near(classes, places, kinds, where)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, optimizer.param_groups[0]["lr"]

    for i in range(4):
        target = torch.zeros(2, 3, 4, 4, 6)
        for k in range(4):
            a, row, column = randint(9 * i + k, 3, 3).tolist()
            target[k % 2, a, row, column] = torch.tensor([1, 0.3, 0.6, 0.4, 0.5, k % 3])
        log(*step(randn(i, 2, 3, 8, 8), target, randint(i, 6, 2, 32) - 1, randn(i, 2, 32, 4)))
        schedule.step()
    norms(net)
    log(*[float(optimizer.state[p]["trust"]) for p in net.parameters()])


class Queue(nn.Module):
    """A slow encoder, and a ring of keys whose place Python reads."""

    def __init__(self, size=12):
        super().__init__()
        self.fast, self.slow, self.size = nn.Linear(6, 4), nn.Linear(6, 4), size
        self.register_buffer("keys", F.normalize(randn(3, 4, size), dim=0))
        self.register_buffer("place", torch.zeros(1, dtype=torch.long))
        self.register_buffer("begun", torch.tensor(0, dtype=torch.uint8))
        self.register_buffer("others", ~torch.eye(8, dtype=torch.bool))

    @torch.no_grad()
    def prepare(self):
        if self.begun.item() == 0:
            for p, q in zip(self.fast.parameters(), self.slow.parameters()):
                q.copy_(p).requires_grad_(False)
            self.begun.fill_(1)
        for p, q in zip(self.fast.parameters(), self.slow.parameters()):
            q.data = q.data * 0.9 + p.data * 0.1

    def forward(self, x, y):
        self.prepare()
        x = F.normalize(self.fast(x), dim=1)
        with torch.no_grad():
            y = F.normalize(self.slow(y), dim=1)
        logits = torch.cat([(x * y).sum(1, keepdim=True), x @ self.keys.clone().detach()], dim=1)
        with torch.no_grad():
            place = int(self.place)
            self.keys[:, place : place + len(y)] = y.T
            self.place[0] = (place + len(y)) % self.size
        both = torch.cat([x, y])
        alike = (both @ both.T)[self.others].view(len(both), -1)
        return F.cross_entropy(logits / 0.07, torch.zeros(len(x), dtype=torch.long)) + alike.logsumexp(1).mean()


def queues():
    """Contrast with a ring of earlier keys, weighed by a number that is annealed between calls."""
    model = fill(Queue())
    optimizer = optim.SGD(model.fast.parameters(), 0.1, momentum=0.9)
    weight = 1.0

    @compiled
    def step(x, y):
        loss = weight * model(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(7):
        log(step(randn(i, 4, 6), randn(i, 4, 6) + 0.1))
        weight *= 0.9
    norms(model)


PROGRAMS = (boxes, queues)
