"""Networks for sequences."""

import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import compiled, fill, log, norms, randint, randn, trainer
from torch import optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


def recurrence_by_hand():
    """Plain tensors as parameters, a loop over characters, Adagrad in place."""
    text = "a rose is a rose is a rose"
    chars = sorted(set(text))
    index, width, length = {c: i for i, c in enumerate(chars)}, 5, 4
    w_in, w_state = (0.1 * randn(k, width, n) for k, n in enumerate((len(chars), width)))
    params = [w_in, w_state, 0.1 * randn(3, len(chars), width), torch.zeros(width, 1), torch.zeros(len(chars), 1)]
    for p in params:
        p.requires_grad_()
    memory = [torch.zeros_like(p) for p in params]

    @compiled
    def step(inputs, targets, h):
        w_in, w_state, w_out, b_state, b_out = params
        loss = 0
        for t in range(length):
            x = torch.zeros(len(chars), 1)
            x[inputs[t]] = 1
            h = torch.tanh(w_in @ x + w_state @ h + b_state)
            y = w_out @ h + b_out
            p = torch.exp(y) / torch.sum(torch.exp(y))
            loss += -torch.log(p[targets[t], 0])
        loss.backward()
        with torch.no_grad():
            for p, m in zip(params, memory):
                g = torch.clamp(p.grad, -5, 5)
                m += g * g
                p -= 0.1 * g / torch.sqrt(m + 1e-8)
                p.grad.zero_()
        return loss.detach(), h.detach()

    h = torch.zeros(width, 1)
    for at in range(0, 12, length):
        ids = torch.tensor([index[c] for c in text[at : at + length + 1]])
        loss, h = step(ids[:-1], ids[1:], h)
        log(loss)
    log(*(p.detach().norm() for p in params))


class Attending(nn.Module):
    def __init__(self, words, width, steps):
        super().__init__()
        self.embed, self.gru = nn.Embedding(words, width), nn.GRU(2 * width, width, batch_first=True)
        self.query, self.keys, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.out, self.steps = nn.Linear(width, words), steps

    def forward(self, memory, state, target=None):
        word = torch.empty(memory.size(0), 1, dtype=torch.long).fill_(0)
        outputs = []
        for i in range(self.steps):
            scores = self.score(torch.tanh(self.query(state.permute(1, 0, 2)) + self.keys(memory)))
            context = torch.bmm(F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1), memory)
            y, state = self.gru(torch.cat((self.embed(word), context), dim=2), state)
            outputs.append(self.out(y))
            if target is not None:
                word = target[:, i].unsqueeze(1)
            else:
                _, best = outputs[-1].topk(1)
                word = best.squeeze(-1).detach()
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1)


def translation():
    """Attention over an encoder, teacher forcing that Python decides, two optimizers, greedy words."""
    random.seed(0)
    embed, encoder, decoder = nn.Embedding(9, 6), nn.GRU(6, 6, batch_first=True), Attending(9, 6, 3)
    fill(embed, encoder, decoder)
    optimizers = [optim.Adam([*embed.parameters(), *encoder.parameters()]), optim.Adam(decoder.parameters())]

    @compiled
    def step(source, target, forced):
        for optimizer in optimizers:
            optimizer.zero_grad()
        logs = decoder(*encoder(embed(source)), target if forced else None)
        loss = nn.NLLLoss()(logs.view(-1, logs.size(-1)), target.view(-1))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss

    for i in range(4):
        log(step(randint(i, 9, 2, 4), randint(i + 9, 9, 2, 3), random.random() < 0.5))
    with torch.no_grad():
        log(*decoder(*encoder(embed(randint(4, 9, 1, 4)))).topk(1)[1].squeeze().tolist())
    norms(embed, encoder, decoder)


def tagging():
    """Padded and packed sequences through a bidirectional LSTM of two layers, ignored targets, clipped gradients."""
    embed, lstm = nn.Embedding(12, 4, padding_idx=0), nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)
    tags, mood = nn.Linear(10, 3), nn.Linear(10, 1)
    model = fill(nn.ModuleList([embed, lstm, tags, mood]))
    embed.weight.data[0] = torch.zeros(4)
    optimizer = optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.01)

    @compiled
    def step(text, lengths, wanted, label):
        optimizer.zero_grad()
        packed = pack_padded_sequence(embed(text), lengths, batch_first=True, enforce_sorted=False)
        output, (hidden, _) = lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        scores = mood(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)).squeeze(1)
        loss = F.cross_entropy(tags(output).reshape(-1, 3), wanted.reshape(-1), ignore_index=-1)
        loss = loss + nn.BCEWithLogitsLoss()(scores, label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        return loss, (torch.round(torch.sigmoid(scores)) == label).float().mean()

    lengths = [2, 4, 3]
    for i in range(3):
        words = [randint(i * 10 + k, 11, n) + 1 for k, n in enumerate(lengths)]
        wanted = pad_sequence([w % 3 for w in words], batch_first=True, padding_value=-1)
        log(*step(pad_sequence(words, batch_first=True), lengths, wanted, randint(i, 2, 3).float()))
    norms(model)


class TextCNN(nn.Module):
    def __init__(self, words, width, sizes):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.convs = nn.ModuleList([nn.Conv2d(1, 3, (k, width)) for k in sizes])
        self.dilated = nn.Conv1d(width, 3, kernel_size=2, dilation=2)
        self.out = nn.Linear(3 * len(sizes) + 3, 3)

    def forward(self, x):
        x = self.embed(x)
        longest = [F.relu(self.dilated(x.transpose(1, 2))).amax(dim=2)]
        maps = [F.relu(conv(x.unsqueeze(1))).squeeze(3) for conv in self.convs]
        return self.out(torch.cat([F.max_pool1d(m, m.size(2)).squeeze(2) for m in maps] + longest, 1))


def text_convolutions():
    """Gradients accumulated over two calls, and applied by a function of its own."""
    net = fill(TextCNN(15, 4, [2, 3]))
    optimizer = optim.Adadelta(net.parameters(), lr=1.0, rho=0.95)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 0.3, 0.5]), reduction="none")

    @compiled
    def accumulate(x, y):
        loss = criterion(net(x), y).mean() / 2
        loss.backward()
        return loss

    @compiled
    def update():
        nn.utils.clip_grad_value_(net.parameters(), clip_value=0.1)
        optimizer.step()
        optimizer.zero_grad()

    for i in range(4):
        log(accumulate(randint(i, 15, 3, 6), randint(i, 3, 3)).item() * 2)
        if (i + 1) % 2 == 0:
            update()
    norms(net)


class LanguageModel(nn.Module):
    def __init__(self, kind, words, width, layers):
        super().__init__()
        self.encoder, self.rnn = nn.Embedding(words, width), getattr(nn, kind)(width, width, layers)
        self.decoder = nn.Linear(width, words)
        self.decoder.weight = self.encoder.weight
        self.shape = (layers, width)

    def start(self, batch):
        weight = next(self.parameters())
        layers, width = self.shape
        return weight.new_zeros(layers, batch, width), weight.new_zeros(layers, batch, width)

    def forward(self, words, state):
        output, state = self.rnn(self.encoder(words), state)
        return F.log_softmax(self.decoder(output).view(-1, self.decoder.out_features), dim=1), state


def language_model():
    """Tied weights, truncated backpropagation, a last batch that is shorter, updates through `.data`."""
    model, length = fill(LanguageModel("LSTM", 9, 4, 2)), 3

    @compiled
    def step(words, targets, state):
        model.zero_grad()
        logs, state = model(words, tuple(s.detach() for s in state))
        loss = F.nll_loss(logs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-2.0)
        return loss, state

    corpus = randint(0, 9, 2 * (length * 2 + 2)).narrow(0, 0, 16).view(2, -1).t().contiguous()
    state = model.start(2)
    for i in range(0, corpus.size(0) - 1, length):
        size = min(length, len(corpus) - 1 - i)
        loss, state = step(corpus[i : i + size], corpus[i + 1 : i + 1 + size].view(-1), state)
        log(loss, math.exp(loss.item()))
    norms(model)


def word_vectors():
    """Skip-gram with negative samples, by batched products."""
    center, context = fill(nn.Embedding(11, 4), nn.Embedding(11, 4))

    def loss_of(word, near, far):
        v = center(word)
        near = torch.bmm(context(near).view(len(v), 1, -1), v.view(len(v), -1, 1)).sigmoid().log().squeeze()
        far = torch.bmm(context(far).neg(), v.unsqueeze(2)).sigmoid().log().squeeze(2).sum(1)
        return -(near + far).mean()

    step = trainer(optim.SGD([*center.parameters(), *context.parameters()], lr=0.5), loss_of)
    for i in range(3):
        log(step(randint(i, 11, 4), randint(i + 5, 11, 4), randint(i + 9, 11, 4, 5)))
    norms(center, context)


PROGRAMS = (
    recurrence_by_hand,
    translation,
    tagging,
    text_convolutions,
    language_model,
    word_vectors,
)
