"""What is compared with PyTorch: expressions of the surface, and the inputs that they are evaluated on.

`T` is torch or irtool, `F` its nn.functional; x, y and so on are tensors. Nothing here imports either.
"""

# ruff: noqa: E501, SIM905
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Inputs = dict[str, tuple[np.ndarray[Any, Any], str]]
"""By name: an array, and how the tensor lies over it ("", "t": transposed, "step": every second, "expand")."""

UNARY = """abs neg sign signbit exp exp2 erfc lgamma digamma expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh sigmoid erf floor
ceil round trunc relu square reciprocal frac isnan isinf isfinite logical_not""".split()
FLOATS = """softplus elu selu silu gelu leaky_relu hardtanh hardswish hardsigmoid mish logsigmoid softsign tanhshrink relu6
celu softshrink hardshrink""".split()
BINARY = """add sub mul div pow maximum minimum remainder floor_divide fmod atan2 eq ne lt le gt ge logical_and logical_or
logical_xor hypot copysign fmax fmin""".split()
REDUCTIONS = "sum mean var std amax amin argmax argmin prod any all norm logsumexp".split()

EXPRESSIONS: dict[str, list[str]] = {
    "unary": [
        *(f"T.{name}(x)" for name in UNARY),
        *("x.clamp(-0.5, 0.5)", "x.clamp(min=0)", "x.clone()", "x.detach()", "-x", "abs(x)", "x + 1", "2 - x", "x * 2.5"),
        *("x / 2", "x // 2", "x % 2", "x ** 2", "2 ** x", "x > 0", "x.float()", "x.long()", "x.bool()", "x.double()"),
        *("T.zeros_like(x)", "T.ones_like(x)", "T.full_like(x, 3)", "x.numel()", "x.tolist()", "T.where(x > 0, x, 0)"),
        *("x.masked_fill(x > 0, 1)", "T.nan_to_num(x)", "x.sign()", "x.type(T.float32)", "x.reshape(-1)", "x.flatten()"),
        *("x.unsqueeze(0)", "x.squeeze()", "T.flip(x, (0,))", "T.roll(x, 1, 0)", "x.repeat(2, 1)", "T.sum(x)", "T.mean(x)"),
        *("T.max(x)", "T.min(x)", "T.prod(x)", "x.any()", "x.all()", "T.stack([x, x])", "T.cat([x, x])", "T.cat([x, x], -1)"),
        *("x.expand(2, *x.shape)", "x[..., None]", "x[None]", "T.atleast_1d(x)", "x.view_as(x)", "x.contiguous()"),
    ],
    "float": [
        *(f"F.{name}(x)" for name in FLOATS),
        *("F.softmax(x, -1)", "F.log_softmax(x, -1)", "F.softmin(x, -1)", "F.normalize(x, dim=-1)", "T.nn.Softmax(-1)(x)"),
        *("F.layer_norm(x, x.shape[-1:])", "F.dropout(x, 0.5, False)", "F.glu(T.cat([x, x], -1))", "F.threshold(x, 0.1, 2)"),
    ],
    "binary": [
        *(f"T.{name}(x, y)" for name in BINARY),
        *("x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "x < y", "x == y", "T.where(x > y, x, y)"),
        *("T.max(x, y)", "T.min(x, y)", "T.lerp(x, y, 0.25)", "T.addcmul(x, x, y)", "T.isclose(x, y)"),
    ],
    "loss": [
        *("F.mse_loss(x, y)", "F.l1_loss(x, y)", "F.smooth_l1_loss(x, y)", "F.huber_loss(x, y)", "F.kl_div(x, y)"),
        *("F.binary_cross_entropy_with_logits(x, y.sigmoid())", "F.mse_loss(x, y, reduction='none')"),
        *("F.binary_cross_entropy(x.sigmoid(), y.sigmoid())", "F.mse_loss(x, y, reduction='sum')"),
        *("F.cosine_similarity(x, y, dim=-1)", "F.kl_div(x, y, reduction='batchmean')", "F.poisson_nll_loss(x, y)"),
    ],
    "reduction": [
        *(f"x.{name}(1)" for name in REDUCTIONS if name != "norm"),
        *(f"x.{name}(1, keepdim=True)" for name in REDUCTIONS if name != "norm"),
        *("x.sum((0, 1))", "x.mean((0, -1), keepdim=True)", "x.norm(dim=1)", "x.norm(p=1, dim=0)", "x.norm()", "x.var(0, unbiased=False)"),
        *("T.max(x, 1)", "T.min(x, 0)", "T.cumsum(x, 1)", "T.cumprod(x, 0)", "x.sort(1)", "x.sort(0, descending=True)"),
        *("T.argsort(x, 1)", "x.topk(1, 1)", "x.topk(2, 0, largest=False)", "T.median(x)", "T.std_mean(x)", "T.var_mean(x, 0)"),
        *("T.nansum(x, 1)", "T.aminmax(x, dim=1)", "T.trapezoid(x, dim=1)", "T.nanquantile(x, 0.3)", "T.renorm(x, 2, 0, 0.5)", "T.cov(x)"),
        *("T.count_nonzero(x)", "T.diff(x)", "x.sum(dtype=T.float64)", "x.cummax(1)"),
    ],
    "shape": [
        *("x.reshape(-1)", "x.t()", "x.transpose(0, 1)", "x.permute(1, 0)", "x.view(-1) if x.is_contiguous() else x"),
        *("x.tril()", "x.triu(1)", "T.split(x, 1)", "T.split(x, [1, 1])", "T.chunk(x, 2, 1)", "T.unbind(x)", "x[0]", "x[:, -1]"),
        *("x[..., 1:]", "x[::2]", "x[[1, 0]]", "x[x > 0]", "x[:, None]", "x.index_select(0, T.tensor([1, 0]))"),
        *("x.gather(1, T.tensor([[0, 1], [1, 0]]))", "T.take_along_dim(x, T.tensor([[1], [0]]), 1)", "F.pad(x, (1, 2))"),
        *("F.pad(x, (1, 0, 0, 1), value=3)", "x.scatter(1, T.tensor([[0], [2]]), 7)", "T.diag(x)", "x.diagonal()"),
        *("x.scatter_add(1, T.tensor([[0, 0], [1, 2]]), x)", "x.unfold(1, 2, 1)", "x.repeat_interleave(2, 0)", "x.flip(0, 1)"),
        *("x.movedim(0, 1)", "x.swapaxes(0, 1)", "T.einsum('ij->ji', x)", "T.tile(x, (2, 1))", "x.rot90()", "T.meshgrid(x[0], x[1], indexing='ij')"),
        *("T.hsplit(x, [1])", "T.vsplit(x, 2)", "T.tensor_split(x, [1, 2], 1)", "T.slice_scatter(x, x[:, :1], 1, 2)"),
        *("T.select_scatter(x, x[0], 0, 1)", "T.diagonal_scatter(x, x[0, :2], 1)", "T.block_diag(x, x[0])", "T.diagflat(x[0])"),
        *("T.argwhere(x)", "T.combinations(x[0])", "T.cartesian_prod(x[0], x[1])", "T.vander(x[0])", "T.atleast_3d(x)"),
        *("x.put(T.tensor([1, -1]), x[0, :2])", "x[[[0, 1], [1, 2]]]", "x[T.tensor([1, 0], dtype=T.uint8)]", "x.unfold(1, 1, 2)"),
        *("x.index_reduce(0, T.tensor([1, 1]), x, 'amax')", "x.scatter_reduce(1, T.tensor([[0, 0, 2], [1, 2, 2]]), x, 'prod')"),
        *("x.scatter_reduce(1, T.tensor([[0, 0, 2], [1, 2, 2]]), x * 2, 'amin', include_self=False)", "x.mH", "x.adjoint()"),
        *("x.new_zeros(2)", "x.unflatten(1, (3, 1))", "x.narrow(1, 1, 2)", "x.select(1, 2)", "T.vstack([x, x])", "T.hstack([x, x])"),
    ],
    "matrix": [
        *("x @ y", "T.matmul(x, y)", "T.mm(x, y)", "T.einsum('ij,jk->ik', x, y)", "F.linear(x, y.t())", "T.outer(x[0], y[:, 0])"),
        *("T.dot(x[0], y[:, 0])", "x @ y[:, 0]", "x[0] @ y", "T.bmm(x[None], y[None])", "T.addmm(T.ones(4), x, y)", "T.tensordot(x, y, 1)"),
        *("T.addbmm(x @ y, x[None], y[None])", "T.addr(x @ y, x[:, 0], y[0])", "T.matrix_power(x @ x.t(), 3)"),
        *("T.einsum(x, [0, 1], y, [1, 2], [2, 0])", "T.einsum('...ij,jk', x[None], y)", "T.linalg.multi_dot([x, y, y.t()])"),
        *("T.inner(x, y.t())", "T.vdot(x[0], y[:, 0])", "T.chain_matmul(x, y)", "T.tensordot(x, y, ([1], [0]))"),
        *("T.mv(x, y[:, 0])", "T.kron(x, y)", "T.cdist(x, y.t())", "T.linalg.norm(x)", "x.mm(y).trace()"),
    ],
    "classes": [
        *("F.cross_entropy(x, k)", "F.cross_entropy(x, k, reduction='none')", "F.nll_loss(F.log_softmax(x, 1), k)"),
        *("F.cross_entropy(x, k, weight=T.tensor([1.0, 2.0, 3.0]))", "F.cross_entropy(x, k, ignore_index=1)"),
        *("F.cross_entropy(x, k, label_smoothing=0.1)", "F.cross_entropy(x, F.softmax(x, 1))", "F.one_hot(k, 3)"),
        *("F.embedding(k, x)", "x[k]", "x[:, k]", "F.multi_margin_loss(x, k)", "T.bincount(k)", "x.index_add(0, k, x)"),
    ],
    "image": [
        *("F.conv2d(x, w)", "F.conv2d(x, w, padding=1, stride=2)", "F.conv2d(x, w, dilation=2, padding='same')"),
        *("F.conv_transpose2d(x, w.transpose(0, 1), stride=2, padding=1)", "F.max_pool2d(x, 2)", "F.avg_pool2d(x, 3, 2, 1)"),
        *("F.max_pool2d(x, 3, 2, 1)", "F.adaptive_avg_pool2d(x, 2)", "F.interpolate(x, scale_factor=2)", "F.pixel_shuffle(x, 2)"),
        *("F.interpolate(x, size=(7, 3), mode='bilinear')", "F.conv1d(x[:, :, 0], w[:, :, 0])", "F.max_pool1d(x[0], 2)"),
        *("F.group_norm(x, 2)", "F.instance_norm(x)", "F.batch_norm(x, None, None, training=True)", "F.unfold(x, 2)"),
        *("F.pad(x, (1, 1, 1, 1), mode='reflect')", "F.pad(x, (1, 0), mode='replicate')", "F.pad(x, (1, 1, 0, 0), mode='circular')"),
        *("F.adaptive_max_pool2d(x, 2)", "F.avg_pool1d(x[0], 2)", "F.rms_norm(x, x.shape[-1:])", "F.dropout2d(x, 0.5, False)"),
        *("F.adaptive_max_pool2d(x, (3, 1), return_indices=True)", "F.avg_pool3d(x, 2)", "F.lp_pool2d(x, 2, 2)", "F.pdist(x[0, 0])"),
        *("F.grid_sample(x, F.affine_grid(x[:, 0, :2, :3], (len(x), 4, 3, 3), align_corners=False), align_corners=False)",),
    ],
    "creation": [
        *("T.zeros(2, 3)", "T.ones((2,), dtype=T.int64)", "T.full((2,), 1.5)", "T.full((2,), 7)", "T.arange(5)", "T.arange(1, 2, 0.25)"),
        *("T.linspace(0, 1, 5)", "T.eye(3)", "T.eye(2, 3)", "T.tensor([1, 2])", "T.tensor([1.0, 2])", "T.tensor(True)", "T.empty(0)"),
        *("T.tensor([[1], [2]], dtype=T.float64)", "T.logspace(0, 2, 3)", "T.tril_indices(3, 3)", "T.FloatTensor([1, 2])", "T.LongTensor([1])"),
        *("T.randperm(5).sort()[0]", "T.rand(2, 3).shape", "T.randn(3).dtype", "T.randint(0, 5, (3,)).dtype", "T.arange(3.0).dtype"),
        *("T.as_tensor([1, 2])", "T.cartesian_prod(T.arange(2), T.arange(2))", "T.hann_window(4)", "T.empty(2, 3).shape"),
    ],
}  # fmt: skip


KNOWN: dict[str, str] = {
    "F.gelu(x)": "gelu(inf) is inf, not NaN",
    "T.var_mean(x, 0)": "a mean that overflows",
}
"""What differs at infinities and NaN, or for bool, and stays so. Gradients at infinities may always differ."""


def _random(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(len(shape) + 7 * sum(shape))
    if dtype == "bool":
        return np.asarray(rng.integers(0, 2, shape), bool)
    if dtype.startswith("int"):
        return np.asarray(rng.integers(-3, 4, shape), dtype)
    return np.asarray(rng.standard_normal(shape) * 0.7, dtype)


EXTREME = np.array([[0.0, -0.0, np.inf, -np.inf], [np.nan, 1e30, -1e30, 1e-38]], np.float32)


def _one(shapes: dict[str, tuple[int, ...]], dtypes: tuple[str, ...]) -> Iterator[tuple[str, Inputs]]:
    for name, shape in shapes.items():
        for dtype in dtypes if name == "plain" else dtypes[:1]:
            yield f"{name} {dtype}", {"x": (_random(shape, dtype), "")}
    yield "transposed", {"x": (_random((3, 2)), "t")}
    yield "stepped", {"x": (_random((2, 6)), "step")}
    yield "expanded", {"x": (_random((1, 3)), "expand")}
    yield "extreme", {"x": (EXTREME, "")}


def _two(dtypes: tuple[str, ...]) -> Iterator[tuple[str, Inputs]]:
    pairs = {
        "plain": ((2, 3), (2, 3)),
        "broadcast": ((2, 1), (3,)),
        "scalar": ((2, 3), ()),
        "empty": ((0, 3), (1, 3)),
        "one": ((1,), (1, 1)),
    }
    for name, (a, b) in pairs.items():
        yield name, {"x": (_random(a), ""), "y": (np.asarray(_random(b) + np.float32(0.1)), "")}
    for a, b in zip(dtypes, (*dtypes[1:], dtypes[0]), strict=True):
        yield f"{a} {b}", {"x": (_random((2, 3), a), ""), "y": (_random((3,), b), "")}
    yield "transposed", {"x": (_random((3, 2)), "t"), "y": (_random((2, 6)), "step")}
    yield "extreme", {"x": (EXTREME, ""), "y": (EXTREME[::-1].copy(), "")}


ALL = ("float32", "float64", "int64", "int32", "bool")
SHAPES = {"plain": (2, 3), "empty": (0, 3), "size 1": (1, 1), "scalar": ()}


def inputs(group: str) -> Iterator[tuple[str, Inputs]]:
    """The inputs for a group of expressions, each under a name."""
    if group == "unary":
        yield from _one(SHAPES, ALL)
    elif group == "float":
        yield from _one(SHAPES, ("float32", "float64"))
    elif group == "binary":
        yield from _two(ALL)
    elif group == "loss":
        yield from (case for case in _two(("float32",)) if case[0] not in ("broadcast", "scalar", "one"))
    elif group == "reduction":
        yield from _one({"plain": (2, 3), "empty": (2, 0), "size 1": (2, 1), "deep": (2, 3, 2)}, ALL)
    elif group == "shape":
        yield from _one({"plain": (2, 3)}, ("float32", "int64", "bool"))
    elif group == "matrix":
        for name, m, n in (("plain", 2, 3), ("empty", 2, 0), ("one", 1, 1)):
            yield name, {"x": (_random((m, n)), ""), "y": (_random((n, 4)), "")}
        yield "transposed", {"x": (_random((3, 2)), "t"), "y": (_random((3, 8)), "step")}
        yield "int64", {"x": (_random((2, 3), "int64"), ""), "y": (_random((3, 4), "int64"), "")}
    elif group == "classes":
        yield "plain", {"x": (_random((4, 3)), ""), "k": (np.array([0, 2, 1, 2]), "")}
        yield "one", {"x": (_random((1, 3)), ""), "k": (np.array([0]), "")}
        yield "extreme", {"x": (EXTREME[:, :3].copy() / 10, ""), "k": (np.array([0, 1]), "")}
    elif group == "image":
        yield "plain", {"x": (_random((2, 4, 6, 5)), ""), "w": (_random((3, 4, 3, 3)), "")}
        yield "one", {"x": (_random((1, 4, 4, 4)), ""), "w": (_random((3, 4, 1, 1)), "")}
    else:
        yield "plain", {}
