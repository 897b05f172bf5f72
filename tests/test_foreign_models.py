"""What model libraries are written with: configurations that look attributes up by `__getattribute__`, results
that are dictionaries and dataclasses at once, functions that look at signatures, fields and annotations."""

from __future__ import annotations

import copy
import functools
import inspect
import operator
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from queue import SimpleQueue
from typing import Any

import irtool
import pytest
from irtool import nn

compiled: Callable[..., Any] = functools.partial(
    irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference")
)


@pytest.fixture(autouse=True)
def everything_is_compiled() -> Iterator[None]:
    """Calls that run uncompiled would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Config:
    """Attributes under other names."""

    attribute_map = {"width": "hidden_size"}

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.__dict__.update(options)

    def __getattribute__(self, key: str) -> Any:
        if key != "attribute_map" and key in super().__getattribute__("attribute_map"):
            key = super().__getattribute__("attribute_map")[key]
        return super().__getattribute__(key)

    def __setattr__(self, key: str, value: Any) -> None:
        if key in super().__getattribute__("attribute_map"):
            key = super().__getattribute__("attribute_map")[key]
        super().__setattr__(key, value)


class ByHand(Config):
    """The same with `object`'s own methods."""

    def __getattribute__(self, key: str) -> Any:
        return object.__getattribute__(self, object.__getattribute__(self, "attribute_map").get(key, key))

    def __setattr__(self, key: str, value: Any) -> None:
        object.__setattr__(self, self.attribute_map.get(key, key), value)


class Output(OrderedDict[Any, Any]):
    """Entries that are attributes too."""

    def __post_init__(self) -> None:
        for field in fields(self):  # pyright: ignore[reportArgumentType]
            if getattr(self, field.name) is not None:
                self[field.name] = getattr(self, field.name)

    def __getitem__(self, key: Any) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else tuple(self[k] for k in self)[key]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.keys() and value is not None:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # pyright: ignore


@dataclass
class Result(Output):
    loss: Any = None
    logits: Any = None
    states: Any = None


class Model(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Linear(config.width, 2)

    def forward(self, x: Any, labels: Any = None, **options: Any) -> Any:
        names = inspect.signature(self.forward).parameters
        assert "labels" in names and "x" in self.forward.__func__.__code__.co_varnames  # type: ignore[attr-defined]
        y = self.linear(x) * self.config.scale
        made = Result(loss=None if labels is None else (y - labels).square().mean(), logits=y)
        made.logits = made.logits + len(options)
        made["states"] = (x, y)
        return made


@pytest.mark.parametrize("kind", [Config, ByHand])
def test_attributes_are_looked_up_by_code_of_the_user(kind: type[Config]) -> None:
    config = kind(hidden_size=3, scale=2.0)
    model = Model(config)
    f, x = compiled(model), irtool.ones(4, 3)
    for scale in (2.0, 2.0, 3.0):
        config.scale = scale
        assert f(x).logits.equal(model(x).logits)
    assert model.config.width == 3


@pytest.mark.parametrize("kind", [Config, ByHand])
def test_attributes_are_assigned_by_code_of_the_user(kind: type[Config]) -> None:
    config = kind(hidden_size=1)

    @compiled
    def f(x: Any) -> Any:
        config.width += 1
        return x * config.hidden_size

    assert [f(irtool.ones(1)).item() for _ in range(4)] == [2.0, 3.0, 4.0, 5.0]
    assert (config.width, config.hidden_size, len(f.programs())) == (5, 5, 1)


def test_attributes_by_names_that_are_made_up_are_guarded() -> None:
    class Lookup:
        def __getattr__(self, name: str) -> Any:
            return object.__getattribute__(self, "w" + str(len(name)))

    lookup = Lookup()
    lookup.w1, lookup.w2 = 2, 3  # type: ignore[attr-defined]
    f = compiled(lambda x: x * lookup.z + lookup.yy)
    assert f(irtool.ones(1)).item() == f(irtool.ones(1)).item() == 5.0
    lookup.w1 = 7  # type: ignore[attr-defined]
    assert f(irtool.ones(1)).item() == 10.0


def test_a_result_that_is_a_dictionary_and_a_dataclass() -> None:
    model = Model(Config(hidden_size=3, scale=2.0))
    f, x = compiled(model), irtool.ones(4, 3)
    for k in range(3):
        have, want = f(x, labels=irtool.zeros(4, 2) + k), model(x, labels=irtool.zeros(4, 2) + k)
        assert type(have) is Result and list(have.items()) and list(have) == list(want) == ["loss", "logits", "states"]
        assert have.loss is have["loss"] and have.logits is have[1] and have.logits.equal(want.logits)
        assert have.states[1] is have["states"][1] and have.loss.allclose(want.loss)
        have.loss.backward()
        gradient, model.linear.weight.grad = model.linear.weight.grad, None
        want.loss.backward()
        assert gradient.allclose(model.linear.weight.grad)
        model.linear.weight.grad = None
    assert len(f._compiled.programs()) == 1


def test_an_argument_that_is_a_dictionary_and_a_dataclass() -> None:
    @compiled
    def f(made: Any) -> Any:
        made.logits = made["logits"] * 2
        made["loss"] = made.loss + 1
        return made.logits.sum() + made[0]

    for k in range(3):
        made = Result(loss=irtool.tensor(1.0 + k), logits=irtool.ones(2))
        assert f(made).item() == 6.0 + k
        assert made.loss is made["loss"] and made.loss.item() == 2.0 + k
        assert made.logits is made["logits"] and made.logits.tolist() == [2.0, 2.0]
    assert len(f.programs()) == 1


def test_objects_and_exceptions_that_call_what_all_have() -> None:
    class Base:
        def __init__(self, k: int) -> None:
            super().__init__()
            self.k = k

        def __eq__(self, other: object) -> bool:
            return super().__eq__(other) is True

        def __hash__(self) -> int:
            return super().__hash__()

        def __repr__(self) -> str:
            return super().__repr__()

    class Wrong(ValueError):
        def __init__(self, k: int) -> None:
            super().__init__(f"wrong {k}")

    @compiled
    def f(x: Any) -> Any:
        base = Base(3)
        assert base == base and hash(base) and repr(base).startswith("<") and base != Base(3)
        try:
            raise Wrong(base.k)
        except Wrong as error:
            return x * base.k + len(str(error))

    assert [f(irtool.ones(1)).item() for _ in range(3)] == [10.0] * 3 and len(f.programs()) == 1


def test_methods_that_are_cached() -> None:
    warned: list[str] = []

    class Logger:
        @functools.lru_cache(None)  # noqa: B019
        def warn_once(self, message: str) -> None:
            warned.append(message)

    logger = Logger()

    @compiled
    def f(x: Any) -> Any:
        logger.warn_once("slow path")
        return x * 2

    assert [f(irtool.ones(1)).item() for _ in range(3)] == [2.0] * 3
    assert warned == ["slow path"] and len(f.programs()) == 1


def test_an_argument_dataclass_that_loses_its_tensor() -> None:
    @dataclass
    class State:
        h: Any

    @compiled
    def f(state: Any, x: Any) -> Any:
        y = state.h + x
        state.h = 5
        return y

    for _ in range(2):
        state = State(irtool.ones(1))
        assert f(state, irtool.ones(1)).item() == 2.0 and state.h == 5


class Counter:
    """A number that changes within a call."""

    k = 0

    def __repr__(self) -> str:
        return f"k={self.k}"


GET_K = operator.attrgetter("k")


LOOKS: dict[str, Callable[[Any], Any]] = {
    "copy": lambda counter: copy.copy(counter).k,
    "deepcopy of what holds it": lambda counter: copy.deepcopy([{"counter": counter}])[0]["counter"].k,
    "attrgetter": GET_K,
    "attrgetter that is made": lambda counter: operator.attrgetter("k")(counter),
    "attrgetter that is passed on": lambda counter: sum(map(GET_K, [counter])),
    "getattr_static": lambda counter: inspect.getattr_static(counter, "k"),
    "str": lambda counter: int(str(counter)[2:]),
    "format": lambda counter: int(f"{counter}"[2:]),
    "vars": lambda counter: vars(counter)["k"],
    "sorted": lambda counter: sorted([counter, Counter()], key=GET_K)[1].k,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_foreign_code_finds_what_traced_code_has_assigned(look: Callable[[Any], Any]) -> None:
    counter = Counter()

    @compiled
    def f(x: Any) -> Any:
        counter.k += 1
        return x * look(counter)

    assert [f(irtool.ones(1)).item() for _ in range(4)] == [1.0, 2.0, 3.0, 4.0] and counter.k == 4


def test_an_object_that_is_handed_to_foreign_code_is_handed_once() -> None:
    seen: list[int] = []

    counter, queue = Counter(), SimpleQueue[Any]()

    @compiled
    def f(x: Any) -> Any:
        counter.k += 1
        queue.put(counter)
        return x * counter.k

    with pytest.warns(UserWarning, match="SimpleQueue is not known to be free of effects"):
        found = [f(irtool.ones(1)).item() for _ in range(3)]
    while not queue.empty():
        seen.append(queue.get().k)
    assert found == [1.0, 2.0, 3.0] and seen == [3, 3, 3]
