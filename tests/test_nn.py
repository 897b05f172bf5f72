"""Modules: registration, state, modes, hooks, containers, printed forms, initial values."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict
from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
import pytest
from irtool import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 3)
        self.norm = nn.Module()
        self.norm.register_buffer("mean", irtool.zeros(3))
        self.norm.register_buffer("scratch", irtool.ones(1), persistent=False)
        self.fc2 = nn.Linear(3, 2, bias=False)
        self.scale = nn.Parameter(irtool.ones(1))

    def forward(self, x: Any) -> Any:
        return self.fc2(F.relu(self.fc1(x)) - self.norm.mean) * self.scale


def test_what_is_assigned_is_registered() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["scale", "fc1.weight", "fc1.bias", "fc2.weight"]
    assert [n for n, _ in net.named_buffers()] == ["norm.mean", "norm.scratch"]
    assert [n for n, _ in net.named_children()] == ["fc1", "norm", "fc2"]
    assert [n for n, _ in net.named_modules()] == ["", "fc1", "norm", "fc2"]
    assert net.get_parameter("fc1.bias") is net.fc1.bias
    assert net.get_buffer("norm.mean") is net.norm.mean
    assert net.get_submodule("fc2") is net.fc2
    assert {"fc1", "scale", "forward"} <= set(dir(net))
    net.fc1 = None
    assert net.fc1 is None
    assert [n for n, _ in net.named_children()] == ["norm", "fc2"]
    del net.fc2
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'fc2'"):
        _ = net.fc2
    net.extra = nn.Linear(1, 1)
    net.extra = nn.Parameter(irtool.zeros(2))
    assert "extra" in net._parameters
    assert "extra" not in net._modules


def test_shared_parameters_are_listed_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert len(list(model.named_parameters(remove_duplicate=False))) == 4
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    again = nn.Linear(2, 2)
    assert len(list(nn.Sequential(again, again).children())) == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda m: setattr(m, "fc1", 3), TypeError, r"cannot assign 'int' as child module 'fc1' \(torch.nn.Module or"),
        (lambda m: setattr(m, "scale", 3.0), TypeError, r"cannot assign 'float' as parameter 'scale' \(torch.nn.Param"),
        (lambda m: setattr(m.norm, "mean", 1), TypeError, r"cannot assign 'int' as buffer 'mean' \(torch.nn.Buffer"),
        (lambda m: m.register_parameter("a.b", None), KeyError, r"parameter name can\\'t contain"),
        (lambda m: m.register_parameter("forward", None), KeyError, "attribute 'forward' already exists"),
        (lambda m: m.register_buffer("", None), KeyError, "buffer name can"),
        (lambda m: m.add_module("x", 1), TypeError, "int is not a Module subclass"),
        (lambda m: m.get_submodule("fc1.deep"), AttributeError, "Linear has no attribute `deep`"),
        (lambda m: m.get_parameter("norm.mean"), AttributeError, "`mean` is not an nn.Parameter"),
        (lambda m: m.to(irtool.int64), TypeError, "nn.Module.to only accepts floating point or complex dtypes"),
        (lambda m: m.train("yes"), ValueError, "training mode is expected to be boolean"),
        (lambda m: nn.Module()(1), NotImplementedError, r'Module \[Module\] is missing the required "forward"'),
    ],
)
def test_wrong_uses_are_refused(change: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        change(Net())


def test_nothing_is_assigned_before_init() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Early()


def test_state_goes_to_another_module() -> None:
    first, second = Net(), Net()
    with irtool.no_grad():
        first.norm.mean += 2.0
    state = first.state_dict()
    assert list(state) == ["scale", "fc1.weight", "fc1.bias", "norm.mean", "fc2.weight"]
    assert not state["scale"].requires_grad
    assert str(second.load_state_dict(state)) == "<All keys matched successfully>"
    x = irtool.randn(5, 4)
    assert (first(x) == second(x)).all().item()
    # The dictionary shares memory with its module, the loaded module has a copy.
    with irtool.no_grad():
        first.scale.fill_(7.0)
    assert state["scale"].item() == 7.0
    assert second.scale.item() == 1.0
    assert state._metadata["fc1"] == {"version": 1}


def test_loading_lists_everything_that_does_not_fit() -> None:
    state = Net().state_dict()
    del state["fc1.bias"]
    state["fc2.weight"] = irtool.zeros(1, 3)
    state["other.weight"] = irtool.zeros(1)
    state["scale"] = 3
    with pytest.raises(RuntimeError) as info:
        Net().load_state_dict(state)
    lines = str(info.value).split("\n\t")
    assert lines[0] == "Error(s) in loading state_dict for Net:"
    assert lines[1] == 'Missing key(s) in state_dict: "fc1.bias". '
    assert lines[2] == 'Unexpected key(s) in state_dict: "other.weight". '
    assert lines[3].startswith('While copying the parameter named "scale", expected torch.Tensor or Tensor-like object')
    assert lines[4].startswith("size mismatch for fc2.weight: copying a param with shape irtool.Size([1, 3]) from")
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        Net().load_state_dict([])  # type: ignore[arg-type]


def test_loading_can_be_lenient_and_can_assign() -> None:
    net = Net()
    weight = irtool.zeros(2, 3)
    keys = net.load_state_dict({"fc2.weight": weight, "more": weight}, strict=False, assign=True)
    assert keys.missing_keys == ["scale", "fc1.weight", "fc1.bias", "norm.mean"]
    assert keys.unexpected_keys == ["more"]
    assert isinstance(net.fc2.weight, nn.Parameter)
    weight.fill_(3.0)
    assert net.fc2.weight.tolist() == [[3.0] * 3] * 2


def test_modes_reach_all_modules() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.9)))
    x = irtool.ones(100)
    assert model.eval()(x).tolist() == x.tolist()
    assert not model[1][0].training
    assert (model.train()(x) == 0).any().item()
    assert model.training


def test_conversions_keep_the_parameter_objects() -> None:
    net = Net()
    before = net.fc1.weight
    net(irtool.randn(2, 4)).sum().backward()
    assert net.double() is net
    assert net.fc1.weight is before
    assert before.dtype == irtool.float64
    assert before.grad.dtype == irtool.float64
    assert net.norm.mean.dtype == irtool.float64
    assert net(irtool.randn(2, 4, dtype=irtool.float64)).dtype == irtool.float64
    assert net.to("cpu").to(irtool.device("cpu"), irtool.float32).fc1.bias.dtype == irtool.float32
    net.zero_grad()
    assert before.grad is None
    net.requires_grad_(False)
    assert not net(irtool.randn(2, 4)).requires_grad


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Module", "Linear", "Net"]


def test_copies_are_independent() -> None:
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.fc1.weight is not net.fc1.weight
        assert isinstance(other.fc1.weight, nn.Parameter)
        assert other.fc1.weight.tolist() == net.fc1.weight.tolist()
        assert other.fc1.weight.requires_grad
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    copied = copy.deepcopy(tied)
    assert copied[0].weight is copied[1].weight


def test_buffers_can_be_assigned() -> None:
    net = nn.Module()
    net.kept = nn.Buffer(irtool.ones(2))
    net.scratch = nn.Buffer(irtool.ones(2), persistent=False)
    assert [n for n, _ in net.named_buffers()] == ["kept", "scratch"]
    assert list(net.state_dict()) == ["kept"]


def test_hooks() -> None:
    layer = nn.Identity()
    x = irtool.ones(2)
    pre = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    post = layer.register_forward_hook(lambda module, args, output: output * 10)
    first = layer.register_forward_hook(lambda module, args, output: output + 5, prepend=True)
    assert layer(x).tolist() == [70.0, 70.0]
    first.remove()
    assert layer(x).tolist() == [20.0, 20.0]
    post.remove()
    with pre:
        pass
    assert layer(x) is x

    called: list[str] = []

    class Failing(nn.Module):
        def forward(self, x: Any, *, flag: bool = False) -> Any:
            raise ValueError("no")

    failing = Failing()
    failing.register_forward_hook(lambda *a: called.append("always"), always_call=True)
    failing.register_forward_hook(lambda *a: called.append("not"))
    failing.register_forward_pre_hook(lambda m, args, kwargs: called.append(str(kwargs)), with_kwargs=True)
    with pytest.raises(ValueError, match="no"):
        failing(x, flag=True)
    assert called == ["{'flag': True}", "always"]


def test_sequential() -> None:
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    model = nn.Sequential(a, b, c)
    assert len(model) == 3
    assert model[0] is a
    assert model[-1] is c
    assert list(model[1:]) == [b, c]
    assert list(model[1:].state_dict()) == ["2.weight", "2.bias"]
    assert model.append(nn.Tanh()) is model
    assert list(model.pop(3).children()) == []
    model.insert(1, nn.Identity())
    assert [type(m).__name__ for m in model] == ["Linear", "Identity", "ReLU", "Linear"]
    del model[1]
    model[1] = nn.Tanh()
    assert list(model._modules) == ["0", "1", "2"]
    assert isinstance(model[1], nn.Tanh)
    assert len(model + nn.Sequential(b)) == 4
    with pytest.raises(IndexError, match="index 3 is out of range"):
        model[3]
    named = nn.Sequential(OrderedDict(first=a, act=b))
    assert named.first is a
    assert list(named.state_dict()) == ["first.weight", "first.bias"]


def test_lists_and_dictionaries_of_modules() -> None:
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    layers.extend([nn.ReLU()])
    layers += [nn.ReLU()]
    assert len(layers) == 5
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[3:], nn.ModuleList)
    layers.insert(0, nn.Tanh())
    assert isinstance(layers[0], nn.Tanh)
    table = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    table["c"] = nn.Tanh()
    assert list(table) == ["a", "b", "c"]
    assert "b" in table
    assert isinstance(table.pop("b"), nn.ReLU)
    table.update({"a": nn.Identity()})
    assert [type(m).__name__ for m in table.values()] == ["Identity", "Tanh"]
    parameters = nn.ParameterList([irtool.zeros(2), nn.Parameter(irtool.ones(1))])
    parameters.append(irtool.ones(3))
    assert [p.shape[0] for p in parameters] == [2, 1, 3]
    assert all(isinstance(p, nn.Parameter) for p in parameters[1:])
    named = nn.ParameterDict({"left": irtool.zeros(2)})
    named["right"] = irtool.zeros(3)
    assert [n for n, _ in named.named_parameters()] == ["left", "right"]
    assert named.get("up") is None and named.pop("left").shape == (2,) and list(named) == ["right"]
    one, two = irtool.zeros(1), irtool.zeros(2)
    assert list(nn.ParameterDict({"b": one, "a": two})) == ["a", "b"]  # a plain dictionary is sorted
    pairs = nn.ParameterDict([("b", one), ("a", two)])
    assert list(pairs) == list(nn.ParameterDict(pairs)) == ["b", "a"]
    pairs.clear()
    assert len(pairs) == 0


PRINTED = [
    (nn.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
    (nn.Bilinear(1, 2, 3), "Bilinear(in1_features=1, in2_features=2, out_features=3, bias=True)"),
    (nn.ReLU(), "ReLU()"),
    (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
    (nn.LeakyReLU(0.2, True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
    (nn.ELU(), "ELU(alpha=1.0)"),
    (nn.GELU("tanh"), "GELU(approximate='tanh')"),
    (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
    (nn.Softmax(dim=1), "Softmax(dim=1)"),
    (nn.LogSoftmax(), "LogSoftmax(dim=None)"),
    (nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)"),
    (nn.ReLU6(), "ReLU6()"),
    (nn.Hardshrink(), "Hardshrink(0.5)"),
    (nn.PReLU(), "PReLU(num_parameters=1)"),
    (nn.Hardswish(True), "Hardswish()"),
    (nn.Tanh(), "Tanh()"),
    (nn.Dropout(0.2), "Dropout(p=0.2, inplace=False)"),
    (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
    (nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
    (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
    (nn.Sequential(), "Sequential()"),
    (nn.ModuleList(), "ModuleList()"),
    (
        nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.ReLU())),
        "Sequential(\n  (0): Linear(in_features=1, out_features=2, bias=True)\n"
        "  (1): Sequential(\n    (0): ReLU()\n  )\n)",
    ),
    (
        nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh())]),
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Sequential(\n    (0): Tanh()\n  )\n)",
    ),
    (nn.ModuleDict({"a": nn.ReLU()}), "ModuleDict(\n  (a): ReLU()\n)"),
    (
        nn.ParameterList([irtool.ones(2, 3), irtool.ones(1)]),
        "ParameterList(\n    (0): Parameter containing: [irtool.float32 of size 2x3]\n"
        "    (1): Parameter containing: [irtool.float32 of size 1]\n)",
    ),
]


@pytest.mark.parametrize(("module", "text"), PRINTED, ids=lambda value: type(value).__name__)
def test_printed_forms_are_those_of_pytorch(module: nn.Module, text: str) -> None:
    assert repr(module) == text


def test_parameters_print_as_such() -> None:
    assert repr(nn.Parameter(irtool.ones(2))) == ("Parameter containing:\ntensor([1., 1.], requires_grad=True)")
    assert not nn.Parameter(irtool.ones(2), requires_grad=False).requires_grad


def test_layers_call_their_functions() -> None:
    x = irtool.randn(3, 4)
    for layer, function in [
        (nn.ReLU6(), F.relu6),
        (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3)),
        (nn.CELU(0.5), lambda x: F.celu(x, 0.5)),
        (nn.Softplus(2.0), lambda x: F.softplus(x, 2.0)),
        (nn.GLU(0 - 1), F.glu),
        (nn.Softmin(1), lambda x: F.softmin(x, 1)),
        (nn.LogSoftmax(1), lambda x: F.log_softmax(x, 1)),
        (nn.PReLU(init=0.1), lambda x: F.leaky_relu(x, 0.1)),
        (nn.Threshold(0.1, 5.0), lambda x: F.threshold(x, 0.1, 5.0)),
        (nn.Softshrink(0.2), lambda x: F.softshrink(x, 0.2)),
        (nn.Flatten(0), lambda x: x.reshape(-1)),
        (nn.Unflatten(1, (2, -1)), lambda x: x.reshape(3, 2, 2)),
    ]:
        assert layer(x).tolist() == function(x).tolist(), layer
    y = irtool.randn(3, 4)
    for loss, function in [
        (nn.MSELoss(reduction="sum"), lambda x, y: F.mse_loss(x, y, reduction="sum")),
        (nn.MSELoss(size_average=False), lambda x, y: F.mse_loss(x, y, reduction="sum")),
        (nn.SmoothL1Loss(beta=0.5), lambda x, y: F.smooth_l1_loss(x, y, beta=0.5)),
        (nn.HuberLoss(delta=0.5), lambda x, y: F.huber_loss(x, y, delta=0.5)),
        (nn.BCEWithLogitsLoss(), F.binary_cross_entropy_with_logits),
        (nn.CosineSimilarity(), F.cosine_similarity),
    ]:
        assert loss(x, y).tolist() == function(x, y).tolist(), loss


def test_a_weighted_loss_keeps_its_weight_as_a_buffer() -> None:
    loss = nn.CrossEntropyLoss(weight=irtool.tensor([1.0, 2.0, 3.0]), ignore_index=1)
    assert list(loss.state_dict()) == ["weight"]
    x, y = irtool.randn(4, 3), irtool.tensor([0, 1, 2, 2])
    assert loss(x, y).item() == F.cross_entropy(x, y, loss.weight, ignore_index=1).item()


def test_linear_begins_as_in_pytorch() -> None:
    irtool.manual_seed(0)
    layer = nn.Linear(400, 300)
    bound = 1 / math.sqrt(400)
    for parameter in (layer.weight, layer.bias):
        values = parameter.detach().numpy()
        assert np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    irtool.manual_seed(0)
    assert nn.Linear(400, 300).weight.tolist() == layer.weight.tolist()


@pytest.mark.parametrize(
    ("name", "options", "deviation"),
    [
        ("xavier_uniform_", {"gain": 2.0}, 2 * math.sqrt(2 / 500)),
        ("xavier_normal_", {}, math.sqrt(2 / 500)),
        ("kaiming_uniform_", {"nonlinearity": "relu"}, math.sqrt(2 / 300)),
        ("kaiming_normal_", {"mode": "fan_out", "a": 1.0}, math.sqrt(1 / 200)),
        ("normal_", {"std": 0.02}, 0.02),
        ("uniform_", {"a": -3.0, "b": 3.0}, math.sqrt(3)),
        ("trunc_normal_", {"std": 1.0, "a": -1.0, "b": 1.0}, 0.5396),
    ],
)
def test_initial_values_have_the_right_spread(name: str, options: dict[str, Any], deviation: float) -> None:
    irtool.manual_seed(1)
    weight = nn.Parameter(irtool.empty(200, 300))
    assert getattr(nn.init, name)(weight, **options) is weight
    values = weight.detach().numpy()
    assert abs(values.mean()) < 0.02 * deviation
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert weight.requires_grad
    assert weight.is_leaf


def test_initial_values_with_structure() -> None:
    for shape in ((5, 3), (3, 5), (4, 2, 3)):
        q = nn.init.orthogonal_(irtool.empty(*shape)).numpy().reshape(shape[0], -1)
        small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-5)
    assert nn.init.eye_(irtool.empty(2, 3)).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert nn.init.dirac_(irtool.empty(2, 2, 3)).numpy().sum() == 2.0
    assert (nn.init.sparse_(irtool.empty(10, 4), 0.3) == 0).sum(0).tolist() == [3, 3, 3, 3]
    assert nn.init.constant_(irtool.empty(2), 0.5).tolist() == [0.5, 0.5]
    assert nn.init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    with pytest.raises(ValueError, match="Fan in and fan out can not be computed for tensor with fewer than 2 dim"):
        nn.init.xavier_uniform_(irtool.empty(3))
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        nn.init.calculate_gain("swish")


def test_gradients_are_clipped() -> None:
    a, b = nn.Parameter(irtool.zeros(2)), nn.Parameter(irtool.zeros(1))
    a.grad, b.grad = irtool.tensor([3.0, 0.0]), irtool.tensor([-4.0])
    assert nn.utils.clip_grad_norm_([a, b], 10.0).item() == 5.0
    assert a.grad.tolist() == [3.0, 0.0]
    assert nn.utils.clip_grad_norm_([a, b], 1.0).item() == 5.0
    np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.6, 0.0, -0.8], rtol=1e-6)
    nn.utils.clip_grad_value_([a, b], 0.5)
    np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.5, 0.0, -0.5], rtol=1e-6)
    assert nn.utils.clip_grad_norm_([a, b], 1.0, norm_type=float("inf")).item() == 0.5
    b.grad.fill_(float("nan"))
    with pytest.raises(RuntimeError, match=r"The total norm of order 2\.0 for gradients from"):
        nn.utils.clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)


def test_parameters_as_a_vector() -> None:
    net = Net()
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (sum(p.numel() for p in net.parameters()),)
    nn.utils.vector_to_parameters(irtool.zeros(vector.shape[0]), net.parameters())
    assert not any(p.any().item() for p in net.parameters())


def test_a_compiled_module_trains_outside() -> None:
    irtool.manual_seed(0)
    net = Net()
    other = copy.deepcopy(net)
    x = irtool.randn(6, 4)
    compiled = irtool.compile(net)
    compiled(x).sum().backward()
    other(x).sum().backward()
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5, atol=1e-6)
