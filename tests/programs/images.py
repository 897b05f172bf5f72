"""Networks for images."""

import copy
import math
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, rand, randint, randn, trainer
from torch import optim


class Bottleneck(nn.Module):
    expansion = 2

    def __init__(self, inputs, planes, stride=1, shortcut=None):
        super().__init__()
        self.reduce = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv = nn.Conv2d(planes, planes, 3, stride, 1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.expand = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut

    def forward(self, x):
        kept = x if self.shortcut is None else self.shortcut(x)
        x = self.relu(self.bn1(self.reduce(x)))
        x = self.relu(self.bn2(self.conv(x)))
        x = self.bn3(self.expand(x))
        x += kept
        return self.relu(x)


class ResNet(nn.Module):
    def __init__(self, block, depths):
        super().__init__()
        self.width = 4
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.MaxPool2d(3, 2, 1))
        stages = [self._stage(block, 4 * 2**i, n, 1 + (i > 0)) for i, n in enumerate(depths)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(self.width, 5)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)

    def _stage(self, block, planes, count, stride):
        wide = planes * block.expansion
        shortcut = nn.Sequential(nn.Conv2d(self.width, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
        layers = [block(self.width, planes, stride, shortcut)]
        self.width = wide
        layers += [block(wide, planes) for _ in range(1, count)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.stages(self.stem(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


def correct_among(output, target, ks):
    with torch.no_grad():
        _, best = output.topk(max(ks), 1, True, True)
        hits = best.t().eq(target.view(1, -1).expand_as(best.t()))
        return [hits[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / len(target)) for k in ks]


def resnet():
    """Residual stages, step-wise rates, top-k accuracy inside the step, evaluation with running statistics."""
    net = fill(ResNet(Bottleneck, [2, 1]))
    optimizer = optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
    schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)

    @compiled
    def step(images, target):
        output = net(images)
        loss = nn.CrossEntropyLoss()(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, correct_among(output, target, (1, 3))

    evaluate = compiled(lambda x: net(x))
    for epoch in range(3):
        net.train()
        loss, (first, third) = step(randn(epoch, 4, 3, 16, 16), randint(epoch, 5, 4))
        schedule.step()
        log(loss, first[0], third[0], schedule.get_last_lr()[0])
        net.eval()
        with torch.no_grad():
            log(evaluate(randn(9, 2, 3, 16, 16)).abs().mean())
    norms(net)


def two_convs(inputs, outputs):
    convs = []
    for channels in (inputs, outputs):
        convs += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*convs)


class UNet(nn.Module):
    def __init__(self, classes, bilinear):
        super().__init__()
        self.first, self.second = two_convs(3, 4), two_convs(4, 8)
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        else:
            self.up = nn.ConvTranspose2d(8, 8, kernel_size=2, stride=2)
        self.last = two_convs(12, 4)
        self.out = nn.Conv2d(4, classes, kernel_size=1)

    def forward(self, x):
        wide = self.first(x)
        x = self.up(self.second(F.max_pool2d(wide, 2)))
        rows, columns = wide.size(2) - x.size(2), wide.size(3) - x.size(3)
        x = F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        return self.out(self.last(torch.cat([wide, x], dim=1)))


def overlap(p, target, eps=1e-6):
    both, total = 2 * (p * target).sum(dim=(-1, -2)), p.sum(dim=(-1, -2)) + target.sum(dim=(-1, -2))
    total = torch.where(total == 0, both, total)
    return ((both + eps) / (total + eps)).mean()


def unet():
    """Skips, both ways to upsample, odd sizes, an overlap loss, clipped gradients."""
    for bilinear in (True, False):
        net = fill(UNet(1 if bilinear else 3, bilinear))
        optimizer = optim.RMSprop(net.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9)

        @compiled
        def step(images, masks):
            found = net(images)
            if found.size(1) == 1:
                found = found.squeeze(1)
                loss = F.binary_cross_entropy_with_logits(found, masks.float())
                loss += 1 - overlap(torch.sigmoid(found), masks.float())
            else:
                hot = F.one_hot(masks, 3).permute(0, 3, 1, 2).float()
                loss = F.cross_entropy(found, masks) + 1 - overlap(F.softmax(found, dim=1), hot)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            return loss

        for i in range(2):
            log(step(randn(i, 2, 3, 9, 10), randint(i, 2 if bilinear else 3, 2, 9, 10)))
        norms(net)


class DenseBlock(nn.ModuleDict):
    def __init__(self, count, channels, growth):
        super().__init__()
        for i in range(count):
            layer = nn.Sequential()
            layer.add_module("norm", nn.BatchNorm2d(channels + i * growth))
            layer.add_module("relu", nn.ReLU(inplace=True))
            layer.add_module("conv", nn.Conv2d(channels + i * growth, growth, 3, padding=1, bias=False))
            self.add_module("layer%d" % (i + 1), layer)

    def forward(self, x):
        features = [x]
        for _, layer in self.items():
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, 1)


class Branches(nn.Module):
    def __init__(self, c, n):
        super().__init__()
        self.one = nn.Conv2d(c, n, 1)
        self.flat = nn.Sequential(nn.Conv2d(c, n, (1, 3), padding=(0, 1)), nn.Conv2d(n, n, (3, 1), padding=(1, 0)))
        self.five = nn.Conv2d(c, n, 5, padding="same")
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), nn.Conv2d(c, n, 1))

    def forward(self, x):
        return torch.cat([branch(x) for branch in (self.one, self.flat, self.five, self.pool)], 1)


class Excite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.gates = nn.Sequential(nn.Linear(channels, 2), nn.ReLU(True), nn.Linear(2, channels), nn.Hardsigmoid())

    def forward(self, x):
        b, c, _, _ = x.size()
        return x * self.gates(self.squeeze(x).view(b, c)).view(b, c, 1, 1).expand_as(x)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        parts = [("stem", nn.Conv2d(3, 4, 3, 2, 1)), ("dense", DenseBlock(2, 4, 2)), ("branches", Branches(8, 2))]
        self.features = nn.Sequential(OrderedDict([*parts, ("excite", Excite(8))]))
        self.head, self.side = nn.Conv2d(8, 5, 1), nn.Sequential(nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten())
        self.side_head = nn.Linear(32, 5)

    def forward(self, x):
        x = self.features(x)
        out = F.adaptive_avg_pool2d(self.head(x), 1).flatten(1)
        return (out, self.side_head(self.side(x))) if self.training else out


def branches():
    """Dense concatenation, parallel branches, squeeze and excite, a second head while training."""
    net = fill(Mixed())

    def loss_of(x, y):
        out, side = net(x)
        return F.cross_entropy(out, y) + 0.4 * F.nll_loss(F.log_softmax(side, dim=-1), y)

    step = trainer(optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.9, momentum=0.9), loss_of)
    for i in range(2):
        log(step(randn(i, 2, 3, 10, 10), randint(i, 5, 2)))
    norms(net)
    net.eval()
    log(net(randn(3, 2, 3, 10, 10)).norm())


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, ratio):
        super().__init__()
        wide = int(round(inputs * ratio))
        self.keeps = stride == 1 and inputs == outputs
        layers = []
        if ratio != 1:
            layers += [nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)]
        layers.extend([nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU()])
        layers.extend([nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)])
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x) if self.keeps else self.body(x)


def depthwise():
    """Inverted residuals from a table, groups of parameters with and without decay, a cosine by LambdaLR."""
    table = [[1, 4, 1], [2, 8, 2], [2, 8, 1]]
    layers, channels = [nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.Hardswish()], 4
    for ratio, outputs, stride in table:
        layers.append(Inverted(channels, outputs, stride, ratio))
        channels = outputs
    net = fill(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(8, 5)))
    decay = [p for p in net.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for n, p in net.named_parameters() if len(p.shape) == 1 or n.endswith(".bias")]
    groups = [{"params": others, "weight_decay": 0.0}, {"params": decay, "weight_decay": 4e-5}]
    optimizer = optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda e: 0.5 * (1 + math.cos(math.pi * e / 4)))
    step = trainer(optimizer, lambda x, y: F.cross_entropy(net(x), y, label_smoothing=0.1))
    for i in range(3):
        log(step(randn(i, 3, 3, 12, 12), randint(i, 5, 3)))
        schedule.step()
    norms(net)


class LastNorm(nn.Module):
    """Layer norm over channels that come first."""

    def __init__(self, channels, eps=1e-6):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(0.1 * torch.ones(dim), requires_grad=True)

    def forward(self, x):
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.gamma * self.down(F.gelu(self.up(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


def convnext():
    """Channels last by permutation, scaled residuals; the module is compiled, the backward pass runs outside."""
    net = fill(nn.Sequential(nn.Conv2d(3, 4, 4, 4), LastNorm(4), ConvBlock(4), LastNorm(4), nn.Conv2d(4, 6, 2, 2)))
    head = fill(nn.Linear(6, 5))
    optimizer = optim.AdamW([*net.parameters(), *head.parameters()], lr=4e-3, weight_decay=0.05)
    warm = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=2)
    cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4, eta_min=1e-5)
    schedule = optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[2])
    features = compiled(net)
    for i in range(4):
        loss = F.cross_entropy(head(features(randn(i, 2, 3, 16, 16)).mean([-2, -1])), randint(i, 5, 2))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        log(loss, schedule.get_last_lr()[0])
    norms(net, head)


class Codes(nn.Module):
    def __init__(self, count, dim, commitment):
        super().__init__()
        self.table = nn.Embedding(count, dim)
        self.table.weight.data.uniform_(-1 / count, 1 / count)
        self.commitment = commitment

    def forward(self, x):
        x = x.permute(0, 2, 3, 1).contiguous()
        flat = x.view(-1, x.shape[-1])
        w = self.table.weight
        distances = torch.sum(flat**2, dim=1, keepdim=True) + torch.sum(w**2, dim=1) - 2 * torch.matmul(flat, w.t())
        nearest = torch.argmin(distances, dim=1).unsqueeze(1)
        hot = torch.zeros(nearest.shape[0], len(w), device=x.device)
        hot.scatter_(1, nearest, 1)
        code = torch.matmul(hot, w).view(x.shape)
        loss = F.mse_loss(code, x.detach()) + self.commitment * F.mse_loss(code.detach(), x)
        used = hot.mean(0)
        code = x + (code - x).detach()
        return code.permute(0, 3, 1, 2), loss, torch.exp(-torch.sum(used * torch.log(used + 1e-10)))


def vector_quantized():
    """Nearest codes, gradients straight through them."""
    encoder = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 4, 2, 1))
    decoder = nn.Sequential(nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 4, 2, 1))
    codes = Codes(6, 4, 0.25)
    fill(encoder, decoder, codes)
    optimizer = optim.Adam([*encoder.parameters(), *codes.parameters(), *decoder.parameters()], lr=1e-3)

    @compiled
    def step(x):
        optimizer.zero_grad()
        code, loss, perplexity = codes(encoder(x))
        error = F.mse_loss(decoder(code), x) / 1.3
        (error + loss).backward()
        optimizer.step()
        return error, perplexity

    for i in range(3):
        log(*step(randn(i, 2, 3, 8, 8)))
    norms(encoder, codes, decoder)


def conditional_vae():
    """Labels beside the image and the code, reparametrized noise, a slow average of the weights in a copy."""
    encoder, mean, spread = nn.Linear(20 + 4, 8), nn.Linear(8, 3), nn.Linear(8, 3)
    decoder = nn.Sequential(nn.Linear(3 + 4, 8), nn.ELU(), nn.Linear(8, 20), nn.Sigmoid())
    model = fill(nn.ModuleList([encoder, mean, spread, decoder]))
    average = copy.deepcopy(decoder).requires_grad_(False)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    @compiled
    def step(x, labels, noise):
        hot = torch.zeros(x.size(0), 4)
        for i, label in enumerate(labels):
            hot[i, label] = 1
        h = F.elu(encoder(torch.cat([x, hot], 1)))
        mu, logvar = mean(h), spread(h)
        recon = decoder(torch.cat([mu + noise * torch.exp(0.5 * logvar), hot], 1))
        loss = F.binary_cross_entropy(recon, x, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(average.state_dict().values(), decoder.state_dict().values()):
                slow.copy_(0.9 * slow + 0.1 * fast)
        return loss.detach()

    for i in range(3):
        log(step(rand(i, 4, 20), [1, i, 3, 0], randn(i + 50, 4, 3)))
    norms(model, average)


PROGRAMS = (resnet, unet, branches, depthwise, convnext, vector_quantized, conditional_vae)
