"""Layers by declaration: what `layer` derives is what a class by hand would have."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback

import irtool as torch
import pytest
from irtool import nn
from irtool.frontend.source import is_ours


def test_signatures_are_those_of_the_fields() -> None:
    assert str(inspect.signature(nn.LeakyReLU)) == "(negative_slope: 'float' = 0.01, inplace: 'bool' = False) -> 'None'"
    assert str(inspect.signature(nn.LeakyReLU.forward)) == "(self, input: 'Tensor') -> 'Tensor'"
    names = ["weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"]
    assert list(inspect.signature(nn.CrossEntropyLoss).parameters) == names
    assert {p.kind for p in inspect.signature(nn.GaussianNLLLoss).parameters.values()} == {
        inspect.Parameter.KEYWORD_ONLY
    }


def test_wrong_arguments_raise_what_python_raises() -> None:
    with pytest.raises(TypeError, match=r"^LeakyReLU\.__init__\(\) got an unexpected keyword argument 'slope'$"):
        nn.LeakyReLU(slope=1.0)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"^MaxPool2d\.__init__\(\) missing 1 required positional argument"):
        nn.MaxPool2d()  # pyright: ignore[reportCallIssue]


def test_defaults_are_no_attributes_of_the_class() -> None:
    assert not hasattr(nn.LeakyReLU, "negative_slope")
    assert not hasattr(nn.BCEWithLogitsLoss, "pos_weight")


def test_buffers_are_state() -> None:
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.ones(3))
    assert list(loss.state_dict()) == ["pos_weight"]
    assert [name for name, _ in loss.named_buffers()] == ["pos_weight"]


def test_printed_forms() -> None:
    assert repr(nn.LeakyReLU(0.5, True)) == "LeakyReLU(negative_slope=0.5, inplace=True)"
    assert repr(nn.GELU("tanh")) == "GELU(approximate='tanh')"
    assert repr(nn.MSELoss()) == "MSELoss()"
    assert repr(nn.Dropout(0.1)) == "Dropout(p=0.1, inplace=False)"


def test_copies_and_pickles() -> None:
    module = nn.MaxPool2d(3, padding=1)
    for other in (copy.copy(module), copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        assert torch.equal(other(torch.ones(1, 1, 4, 4)), module(torch.ones(1, 1, 4, 4)))


class Steeper(nn.LeakyReLU):
    """A user's class: its annotations are no fields, and what it writes goes first."""

    factor: float

    def __init__(self, factor: float) -> None:
        super().__init__(0.1)
        self.factor = factor

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) * self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor}, {super().extra_repr()}"


def test_users_derive_from_layers() -> None:
    steeper = Steeper(2.0)
    assert repr(steeper) == "Steeper(factor=2.0, negative_slope=0.1)"
    assert torch.allclose(steeper(torch.tensor([-1.0, 1.0])), torch.tensor([-0.2, 2.0]))


def test_several_bases_are_all_initialized() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

    class Both(nn.Dropout, Counting):
        pass

    both = Both(0.25)
    assert (both.p, both.calls) == (0.25, 0)


def test_losses_of_users_take_the_older_arguments() -> None:
    from irtool.nn.modules.loss import _Loss, _WeightedLoss

    class Mine(_Loss):
        def __init__(self, size_average: bool | None = None, reduction: str = "mean") -> None:
            super().__init__(size_average, None, reduction)

    assert Mine(False).reduction == "sum"
    assert _WeightedLoss(torch.ones(2), False).reduction == "sum"
    assert isinstance(nn.NLLLoss(), _WeightedLoss)


def test_errors_name_the_users_line_and_show_what_was_called() -> None:
    with pytest.raises(
        TypeError, match=r"argument 'input' must be Tensor, not list \(at test_layer.py:\d+\)"
    ) as caught:
        nn.LeakyReLU()([1.0])
    frame = next(entry for entry in caught.traceback if entry.name == "forward")
    assert is_ours(str(frame.frame.code.raw.co_filename))
    text = "".join(traceback.format_exception(caught.value))
    assert "return F.leaky_relu(input, self.negative_slope, self.inplace)" in text


def test_compiled_calls_notice_what_forward_reads() -> None:
    module = nn.LeakyReLU(0.5)
    step = torch.compile(lambda x: module(x))
    x = torch.tensor([-2.0, 2.0])
    assert torch.equal(step(x), torch.tensor([-1.0, 2.0]))
    module.negative_slope = 0.25
    assert torch.equal(step(x), torch.tensor([-0.5, 2.0]))


def test_functions_are_looked_up_when_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.functional, "leaky_relu", lambda *args: args)
    assert nn.LeakyReLU(0.5)(None) == (None, 0.5, False)
