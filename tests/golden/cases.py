"""Small computations that are run on PyTorch once, to make the golden numbers, and on irtool in every test run.

Every function takes the package that stands for `torch`. Inputs come from numpy, so that both see the same.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

Torch = Any
STEPS = 10

MLP_OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-2}),
    "adam": ("Adam", {"lr": 1e-3}),
    "adamw": ("AdamW", {"lr": 1e-3, "weight_decay": 0.1}),
}

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    **MLP_OPTIMIZERS,
    "sgd_dampening": ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3}),
    "sgd_nesterov": ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True}),
    "adam_amsgrad": ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "amsgrad": True}),
    "adamw_maximize": ("AdamW", {"lr": 0.05, "maximize": True, "amsgrad": True}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "rmsprop_centered": ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    "adadelta": ("Adadelta", {"lr": 0.5, "rho": 0.8}),
    "adamax": ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    "nadam": ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "foreach": False}),
    "nadam_decoupled": ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    "radam": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    "asgd": ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3, "weight_decay": 0.1}),
    "rprop": ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.05, 0.4), "maximize": True}),
    "adafactor": ("Adafactor", {"lr": 0.5}),
    "adafactor_clipped": ("Adafactor", {"eps": (0.1, 0.3), "d": 1.1, "weight_decay": 0.1, "maximize": True}),
}

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {"Adafactor": ((3, 2), (2,))}
"""Of the two parameters, where they are no vectors of 3 and 2."""


def mlp(torch: Torch, optimizer: str) -> tuple[Any, Any, Any, Any]:
    """(model, optimizer, x, y): a 784-256-10 classifier with the same weights everywhere."""
    rng = np.random.default_rng(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            bound = 1 / np.sqrt(parameter.shape[-1])
            values = rng.uniform(-bound, bound, tuple(parameter.shape)).astype(np.float32)
            parameter.copy_(torch.from_numpy(values))
    name, options = MLP_OPTIMIZERS[optimizer]
    x = torch.from_numpy(rng.standard_normal((64, 784)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 10, 64))
    return model, getattr(torch.optim, name)(model.parameters(), **options), x, y


def mlp_losses(torch: Torch, optimizer: str, wrap: Callable[[Any], Any] = lambda step: step) -> list[float]:
    """The losses of ten training steps on one batch."""
    model, opt, x, y = mlp(torch, optimizer)

    def step(x: Any, y: Any) -> Any:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    step = wrap(step)
    return [step(x, y).item() for _ in range(STEPS)]


def optimizer_values(torch: Torch, name: str) -> list[list[float]]:
    """Two parameters after each of ten updates; the second has no gradient in step 4."""
    rng = np.random.default_rng(1)
    kind, options = OPTIMIZERS[name]
    shapes = SHAPES.get(kind, ((3,), (2,)))
    params = [torch.nn.Parameter(torch.from_numpy(rng.standard_normal(s).astype(np.float32))) for s in shapes]
    optimizer = getattr(torch.optim, kind)(params, **options)
    values: list[list[float]] = []
    for step in range(STEPS):
        for index, p in enumerate(params):
            grad = torch.from_numpy(rng.standard_normal(tuple(p.shape)).astype(np.float32))
            p.grad = None if (step, index) == (4, 1) else grad
        optimizer.step()
        values.append([v for p in params for v in p.reshape(-1).tolist()])
    return values


LBFGS: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.3, "max_iter": 4, "history_size": 2},
    "strong_wolfe": {"max_iter": 6, "line_search_fn": "strong_wolfe"},
}


def lbfgs_losses(torch: Torch, name: str) -> list[float]:
    """The losses of four steps down Rosenbrock's valley, and the number of evaluations."""
    p = torch.nn.Parameter(torch.tensor([-1.2, 1.0]))
    optimizer = torch.optim.LBFGS([p], **LBFGS[name])

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(4)]
    return [*losses, float(optimizer.state[p]["func_evals"])]


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "StepLR": lambda s, o: s.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5], gamma=0.3),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.25, 1.0, 6),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, eta_min=0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=16),
    "OneCycleLR_three_phase": lambda s, o: s.OneCycleLR(
        o, max_lr=0.5, epochs=4, steps_per_epoch=4, three_phase=True, anneal_strategy="linear"
    ),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, 2, mode="triangular2"),
    "CyclicLR_exp_range": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, base_momentum=0.7),
    "CyclicLR_function": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 2, scale_fn=lambda x: 1 / x, cycle_momentum=False),
    "SWALR": lambda s, o: importlib.import_module(s.__name__.replace("lr_scheduler", "swa_utils")).SWALR(o, 0.02, 4),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 3), s.CosineAnnealingLR(o, 8), s.ExponentialLR(o, 0.5)], [3, 9]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)]),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=1, threshold=0.1),
    "ReduceLROnPlateau_max": lambda s, o: s.ReduceLROnPlateau(
        o, "max", factor=0.5, patience=0, threshold=0.05, threshold_mode="abs", min_lr=0.02
    ),
}
METRICS = [1.0, 0.9, 0.95, 0.94, 0.93, 0.5, 0.49, 0.48, 0.47, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3]


def schedule(torch: Torch, name: str) -> list[list[float]]:
    """(rate, momentum) at the start and after each of 15 epochs."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler = SCHEDULES[name](torch.optim.lr_scheduler, optimizer)
    group = optimizer.param_groups[0]
    values = [[float(group["lr"]), float(group["momentum"])]]
    for metric in METRICS:
        optimizer.step()
        scheduler.step(*([metric] if name.startswith("Reduce") else []))
        values.append([float(group["lr"]), float(group["momentum"])])
    return values


Arrays = dict[str, np.ndarray[Any, Any]]


def inputs() -> Arrays:
    """What FUNCTIONS take, by argument name."""
    rng = np.random.default_rng(2)
    f32 = np.float32
    edges = np.array([0.0, -0.5, 0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 25.0, -25.0, 100.0, -100.0], f32)
    return {
        "e": np.concatenate([edges, rng.standard_normal(12).astype(f32) * 2]).reshape(4, 6),
        "x": rng.standard_normal((4, 6)).astype(f32),
        "z": rng.standard_normal((4, 6)).astype(f32),
        "u": rng.standard_normal((4, 6)).astype(f32),
        "p": rng.uniform(0.05, 0.95, (4, 6)).astype(f32),
        "q": rng.dirichlet(np.ones(6), 4).astype(f32),
        "t": (rng.uniform(size=(4, 6)) > 0.5).astype(f32),
        "s": np.array([1, -1, 1, -1], f32),
        "y": np.array([0, 5, 2, 2]),
        "m": np.array([1, -100, 3, 4]),
        "w": rng.uniform(0.5, 2.0, 6).astype(f32),
        "i": rng.standard_normal((2, 3, 2, 2)).astype(f32),
        "k": rng.integers(0, 3, (2, 2, 2)),
        "c": rng.integers(0, 5, (4, 6)).astype(f32),
    }


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda F, e: F.relu(e),
    "relu6": lambda F, e: F.relu6(e),
    "leaky_relu": lambda F, e: F.leaky_relu(e, 0.2),
    "prelu": lambda F, e, w: F.prelu(e, w),
    "elu": lambda F, e: F.elu(e, 0.7),
    "celu": lambda F, e: F.celu(e, 0.7),
    "selu": lambda F, e: F.selu(e),
    "hardtanh": lambda F, e: F.hardtanh(e),
    "hardsigmoid": lambda F, e: F.hardsigmoid(e),
    "hardswish": lambda F, x: F.hardswish(x * 3),
    "threshold": lambda F, e: F.threshold(e, 0.2, -3.0),
    "hardshrink": lambda F, e: F.hardshrink(e),
    "softshrink": lambda F, e: F.softshrink(e),
    "tanhshrink": lambda F, e: F.tanhshrink(e),
    "softsign": lambda F, x: F.softsign(x),
    "softplus": lambda F, e: F.softplus(e),
    "softplus_beta": lambda F, e: F.softplus(e, 2.0, 5.0),
    "logsigmoid": lambda F, e: F.logsigmoid(e),
    "gelu": lambda F, e: F.gelu(e),
    "gelu_tanh": lambda F, e: F.gelu(e, approximate="tanh"),
    "silu": lambda F, e: F.silu(e),
    "mish": lambda F, e: F.mish(e),
    "glu": lambda F, x: F.glu(x),
    "softmax": lambda F, e: F.softmax(e, 1),
    "log_softmax": lambda F, e: F.log_softmax(e, 0),
    "softmin": lambda F, x: F.softmin(x, -1),
    "linear": lambda F, x, z: F.linear(x, z),
    "linear_bias": lambda F, x, z, s: F.linear(x, z, s),
    "normalize": lambda F, x: F.normalize(x),
    "normalize_l1": lambda F, x: F.normalize(x, p=1, dim=0),
    "cosine_similarity": lambda F, x, z: F.cosine_similarity(x, z),
    "pairwise_distance": lambda F, x, z: F.pairwise_distance(x, z),
    "pairwise_distance_p3": lambda F, x, z: F.pairwise_distance(x, z, p=3.0, keepdim=True),
    "mse_loss": lambda F, x, z: F.mse_loss(x, z),
    "l1_loss": lambda F, x, z: F.l1_loss(x, z, reduction="sum"),
    "smooth_l1_loss": lambda F, x, z: F.smooth_l1_loss(x, z, beta=0.7),
    "huber_loss": lambda F, x, z: F.huber_loss(x, z, reduction="none", delta=0.7),
    "binary_cross_entropy": lambda F, p, t: F.binary_cross_entropy(p, t),
    "bce_weighted": lambda F, p, t, w: F.binary_cross_entropy(p, t, weight=w, reduction="sum"),
    "bce_logits": lambda F, e, t: F.binary_cross_entropy_with_logits(e, t),
    "bce_logits_weighted": lambda F, x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w),
    "kl_div": lambda F, x, q: F.kl_div(F.log_softmax(x, 1), q, reduction="batchmean"),
    "kl_div_log": lambda F, x, q: F.kl_div(F.log_softmax(x, 1), q, reduction="sum", log_target=True),
    "poisson_nll_loss": lambda F, x, c: F.poisson_nll_loss(x, c, full=True),
    "poisson_nll_loss_rate": lambda F, p, c: F.poisson_nll_loss(p, c, log_input=False, reduction="sum"),
    "gaussian_nll_loss": lambda F, x, z, p: F.gaussian_nll_loss(x, z, p, full=True),
    "soft_margin_loss": lambda F, x, t: F.soft_margin_loss(x, t * 2 - 1),
    "hinge_embedding_loss": lambda F, x, t: F.hinge_embedding_loss(x, t * 2 - 1),
    "margin_ranking_loss": lambda F, x, z, t: F.margin_ranking_loss(x, z, t * 2 - 1, margin=0.3),
    "cosine_embedding_loss": lambda F, x, z, s: F.cosine_embedding_loss(x, z, s, margin=0.1),
    "triplet_margin_loss": lambda F, x, z, u: F.triplet_margin_loss(x, z, u),
    "triplet_margin_with_distance": lambda F, x, z, u: F.triplet_margin_with_distance_loss(
        x, z, u, distance_function=lambda a, b: (a - b).abs().sum(-1), margin=3.0
    ),
    "multi_margin_loss": lambda F, x, y: F.multi_margin_loss(x, y, p=2),
    "multi_margin_loss_weighted": lambda F, x, y, w: F.multi_margin_loss(x, y, margin=0.5, weight=w, reduction="sum"),
    "multilabel_soft_margin_loss": lambda F, x, t, w: F.multilabel_soft_margin_loss(x, t, w),
    "rrelu": lambda F, e: F.rrelu(e, 0.1, 0.3),
    "triplet_margin_loss_swap": lambda F, x, z, u: F.triplet_margin_loss(x, z, u, p=1.0, swap=True, reduction="none"),
    "cross_entropy": lambda F, x, y: F.cross_entropy(x, y),
    "cross_entropy_extreme": lambda F, e, y: F.cross_entropy(e, y, reduction="none"),
    "cross_entropy_ignore": lambda F, x, m: F.cross_entropy(x, m, label_smoothing=0.1),
    "cross_entropy_weighted": lambda F, x, m, w: F.cross_entropy(x, m, weight=w, label_smoothing=0.1),
    "cross_entropy_weighted_sum": lambda F, x, y, w: F.cross_entropy(x, y, weight=w, reduction="sum"),
    "cross_entropy_images": lambda F, i, k: F.cross_entropy(i, k, reduction="none"),
    "cross_entropy_soft": lambda F, x, q, w: F.cross_entropy(x, q, weight=w, label_smoothing=0.2),
    "nll_loss": lambda F, x, m: F.nll_loss(F.log_softmax(x, 1), m),
    "nll_loss_weighted": lambda F, x, y, w: F.nll_loss(x, y, weight=w),
    "nll_loss_images": lambda F, i, k: F.nll_loss(i, k, reduction="sum"),
}
DIFFERENTIABLE = frozenset("expzui")


def function(torch: Torch, name: str, wrap: Callable[[Any], Any] = lambda f: f) -> dict[str, Any]:
    """The value of a function, and the gradient of its sum (weighted, so that nothing cancels) by every prediction."""
    call = FUNCTIONS[name]
    names = call.__code__.co_varnames[1 : call.__code__.co_argcount]
    arrays = inputs()
    arguments = [torch.from_numpy(arrays[n].copy()).requires_grad_(n in DIFFERENTIABLE) for n in names]
    value = wrap(lambda *a: call(torch.nn.functional, *a))(*arguments)
    size = int(np.prod(tuple(value.shape)))
    seed = torch.from_numpy((1 + np.arange(size, dtype=np.float32) / 7).reshape(tuple(value.shape)))
    (value * seed).sum().backward()
    grads = {n: a.grad.tolist() for n, a in zip(names, arguments) if a.requires_grad and a.grad is not None}
    return {"value": value.detach().tolist(), "grads": grads}
