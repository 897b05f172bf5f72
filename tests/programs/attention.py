"""Networks of attention, and mixtures of experts."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, rand, randint, randn, trainer
from torch import optim


@dataclass
class Config:
    words: int = 12
    width: int = 8
    heads: int = 2
    longest: int = 8


class SelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        if config.width % config.heads:
            raise ValueError("heads must divide the width")
        self.heads, self.each = config.heads, int(config.width / config.heads)
        self.query, self.key, self.value = (nn.Linear(config.width, config.width) for _ in range(3))

    def _heads(self, x):
        return x.view(*x.size()[:-1] + (self.heads, self.each)).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = (self._heads(f(x)) for f in (self.query, self.key, self.value))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.each) + mask
        y = torch.matmul(nn.Softmax(dim=-1)(scores), v).permute(0, 2, 1, 3).contiguous()
        return y.view(y.size()[:-2] + (self.heads * self.each,))


class MaskedModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.words, self.places = nn.Embedding(config.words, config.width, padding_idx=0), nn.Embedding(8, config.width)
        self.register_buffer("place_ids", torch.arange(config.longest).expand((1, -1)))
        self.attention, self.mix = SelfAttention(config), nn.Linear(config.width, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=1e-12)
        self.out, self.next = nn.Linear(config.width, config.words, bias=False), nn.Linear(config.width, 2)
        self.bias = nn.Parameter(torch.zeros(config.words))
        self.out.weight = self.words.weight

    def forward(self, ids, attention_mask, labels=None, follows=None):
        mask = (1.0 - attention_mask[:, None, None, :].to(dtype=next(self.parameters()).dtype)) * -10000.0
        h = self.LayerNorm(self.words(ids) + self.places(self.place_ids[:, : ids.size()[1]]))
        h = self.LayerNorm(h + self.mix(self.attention(h, mask)))
        outputs = (self.out(h) + self.bias, self.next(torch.tanh(h[:, 0])))
        if labels is not None:
            criterion = nn.CrossEntropyLoss()
            loss = criterion(outputs[0].view(-1, self.config.words), labels.view(-1))
            outputs = (loss + criterion(outputs[1].view(-1, 2), follows.view(-1)),) + outputs
        return outputs


def masked_words():
    """Embeddings shared with the output, batches as keyword arguments, masked targets, decay by parameter name."""
    config = Config()
    model = fill(MaskedModel(config))
    plain = ["bias", "LayerNorm.weight"]
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if not any(x in n for x in plain)], "weight_decay": 0.01},
        {"params": [p for n, p in named if any(x in n for x in plain)], "weight_decay": 0.0},
    ]
    optimizer = optim.AdamW(groups, lr=5e-3, eps=1e-8)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda s: s / 2 if s < 2 else max(0.0, (6 - s) / 4), -1)

    @compiled
    def step(batch):
        loss, *_ = model(**batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    for i in range(3):
        ids, hidden = randint(i, 10, 2, 5) + 2, rand(i, 2, 5) < 0.3
        labels = ids.clone()
        labels[~hidden] = -100
        ids[hidden] = 1
        mask = torch.ones(2, 5, dtype=torch.long)
        mask[0, 3:] = 0
        log(step({"ids": ids, "attention_mask": mask, "labels": labels, "follows": randint(i, 2, 2)}))
        schedule.step()
    norms(model)


class Causal(nn.Module):
    def __init__(self, width, heads, longest):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj, self.heads = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width), heads
        self.mlp = nn.ModuleDict(
            dict(up=nn.Linear(width, 2 * width), act=nn.GELU("tanh"), down=nn.Linear(2 * width, width))
        )
        self.register_buffer("mask", torch.tril(torch.ones(longest, longest)).view(1, 1, longest, longest))

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.qkv(self.norm1(x)).split(c, dim=2)
        q, k, v = (y.view(b, t, self.heads, c // self.heads).transpose(1, 2) for y in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
        return x + self.mlp.down(self.mlp.act(self.mlp.up(self.norm2(x))))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.longest = 6
        parts = dict(words=nn.Embedding(11, 8), places=nn.Embedding(6, 8), blocks=nn.ModuleList([Causal(8, 2, 6)]))
        self.body = nn.ModuleDict(parts)
        self.head = nn.Linear(8, 11, bias=False)
        self.body.words.weight = self.head.weight
        self.apply(self._start)

    def _start(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, ids, targets=None):
        x = self.body.words(ids) + self.body.places(torch.arange(0, ids.size(1), dtype=torch.long))
        for block in self.body.blocks:
            x = block(x)
        if targets is None:
            return self.head(x[:, [-1], :]), None
        logits = self.head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    @torch.no_grad()
    def generate(self, ids, count, k):
        for _ in range(count):
            logits, _ = self(ids if ids.size(1) <= self.longest else ids[:, -self.longest :])
            logits = logits[:, -1, :] / 0.8
            best, _ = torch.topk(logits, min(k, logits.size(-1)))
            logits[logits < best[:, [-1]]] = -float("Inf")
            ids = torch.cat((ids, torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)), dim=1)
        return ids


def generator():
    """A causal mask in a buffer, tied weights, micro batches through a compiled module, rates set by hand, sampling."""
    model = fill(Generator())
    shapes = [[p for p in model.parameters() if (p.dim() >= 2) is large] for large in (True, False)]
    optimizer = optim.AdamW([{"params": p, "weight_decay": d} for p, d in zip(shapes, (0.1, 0.0))], betas=(0.9, 0.95))
    run = compiled(model)
    for i in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (i + 1)
        for k in range(2):
            _, loss = run(randint(i + 70 * k, 11, 2, 6), randint(i + 50 + k, 11, 2, 6))
            (loss / 2).backward()
            log(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    log(*model.generate(randint(0, 11, 1, 2), 6, k=1)[0].tolist())
    norms(model)


class Vision(nn.Module):
    def __init__(self, size=16, patch=8, width=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=patch, stride=patch)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, width))
        self.norm, self.qkv, self.head = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.first.expand(len(x), -1, -1), x), dim=1) + self.places
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        weights = ((q @ k.transpose(-2, -1)) * (c // 2) ** -0.5).softmax(dim=-1)
        return self.head((x + (weights @ v).transpose(1, 2).reshape(b, n, c))[:, 0])


def vision():
    """Patches by a strided convolution, a first token of its own, one product for queries, keys and values."""
    net = fill(Vision())
    step = trainer(optim.AdamW(net.parameters(), lr=1e-3), lambda x, y: F.cross_entropy(net(x), y))
    for i in range(3):
        log(step(randn(i, 2, 3, 16, 16), randint(i, 5, 2)))
    norms(net)


class Places(nn.Module):
    def __init__(self, width, longest=20):
        super().__init__()
        rate = torch.exp(-torch.arange(0, width, 2) * math.log(10000) / width)
        at = torch.arange(0, longest).reshape(longest, 1)
        table = torch.zeros((longest, width))
        table[:, 0::2] = torch.sin(at * rate)
        table[:, 1::2] = torch.cos(at * rate)
        self.register_buffer("table", table.unsqueeze(-2))

    def forward(self, x):
        return x * math.sqrt(x.size(-1)) + self.table[: x.size(0), :]


def encoder_decoder():
    """nn.Transformer with all its masks, words first, a warming rate."""
    body = nn.Transformer(8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=12, dropout=0.0)
    source_words, target_words, out, places = nn.Embedding(9, 8), nn.Embedding(9, 8), nn.Linear(8, 9), Places(8)
    model = fill(nn.ModuleList([body, source_words, target_words, out, places]))
    criterion = nn.CrossEntropyLoss(ignore_index=1, label_smoothing=0.1)
    optimizer = optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda s: 0.3 * min((s + 1) ** -0.5, (s + 1) * 40**-1.5))

    def ahead(n):
        mask = (torch.triu(torch.ones((n, n))) == 1).transpose(0, 1)
        return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, 0.0)

    def loss_of(source, target):
        given = target[:-1, :]
        nothing, padded = torch.zeros((len(source), len(source))).type(torch.bool), (source == 1).transpose(0, 1)
        late = torch.zeros(given.t().shape).masked_fill((given == 1).t(), float("-inf"))
        x, y = places(source_words(source)), places(target_words(given))
        logits = out(body(x, y, nothing, ahead(len(given)), None, padded, late, padded))
        return criterion(logits.reshape(-1, logits.shape[-1]), target[1:, :].reshape(-1))

    step = trainer(optimizer, loss_of)
    for i in range(3):
        source, target = randint(i, 7, 4, 2) + 2, randint(i + 9, 7, 5, 2) + 2
        source[3:, 0] = 1
        target[4:, 1] = 1
        log(step(source, target))
        schedule.step()
    norms(source_words, target_words, out)  # a key's bias changes nothing: its gradient is noise


class Experts(nn.Module):
    """The best k of several networks, weighted by a gate."""

    def __init__(self, width, outputs, count, k):
        super().__init__()
        experts = [nn.Sequential(nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, outputs)) for _ in range(count)]
        self.experts, self.k = nn.ModuleList(experts), k
        self.gate = nn.Parameter(torch.zeros(width, count), requires_grad=True)

    def _uneven(self, x):
        return x.float().var() / (x.float().mean() ** 2 + 1e-10)

    def forward(self, x):
        logits = x @ self.gate
        best, indices = logits.topk(self.k, dim=1)
        gates = torch.zeros_like(logits, requires_grad=True).scatter(1, indices, nn.Softmax(1)(best))
        uneven = self._uneven(gates.sum(0)) + self._uneven((gates > 0).sum(0))
        uneven *= 1e-2
        return torch.einsum("be,beo->bo", gates, torch.stack([e(x) for e in self.experts], dim=1)), uneven


class Switch(nn.Module):
    """One expert a row, up to its capacity; all experts in one parameter."""

    def __init__(self, width, wide, count):
        super().__init__()
        self.router = nn.Linear(width, count, bias=False)
        self.w1, self.w2 = nn.Parameter(torch.randn(count, width, wide)), nn.Parameter(torch.randn(count, wide, width))

    def forward(self, x):
        p = F.softmax(self.router(x), dim=-1)
        gate, index = torch.max(p, dim=-1)
        mask = F.one_hot(index, p.shape[-1]).to(x.dtype)
        mask = mask * (torch.cumsum(mask, dim=0) * mask <= 0.6 * len(x)).to(x.dtype)
        y = torch.bmm(F.gelu(torch.bmm(torch.einsum("be,bd->ebd", mask, x), self.w1)), self.w2)
        return x + (y * gate[None, :, None]).sum(0), p.shape[-1] * (p.mean(0) * mask.mean(0)).sum()


def experts():
    """Sparse gates with a loss that balances them."""
    switch, mixture = fill(Switch(6, 5, 3), Experts(6, 3, 3, 2))
    groups = [{"params": mixture.parameters()}, {"params": switch.parameters(), "lr": 5e-4}]

    def loss_of(x, y):
        x, balance = switch(x)
        logits, uneven = mixture(x)
        return F.cross_entropy(logits, y) + uneven + 0.01 * balance

    step = trainer(optim.Adam(groups, lr=1e-3), loss_of)
    for i in range(3):
        log(step(randn(i, 5, 6), randint(i, 3, 5)))
    norms(switch, mixture)


PROGRAMS = (masked_words, generator, vision, encoder_decoder, experts)
