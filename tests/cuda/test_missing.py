"""Where something is missing for the target "cuda", the call that needs it says so in a sentence, and nothing else
does."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.runtime.c_compiler import ToolchainError
from irtool.runtime.cuda import bindings, compiler, driver


@pytest.fixture(autouse=True)
def nothing_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindings._Opened, "cuda", None)
    monkeypatch.setattr(driver, "_devices", [])


def sentence() -> str:
    step = irtool.compile(lambda x: x + 1, target="cuda")
    with pytest.raises(RuntimeError) as caught:
        step(irtool.ones(2))
    return str(caught.value)


@pytest.mark.skipif(find_spec("pycuda") is not None, reason="PyCUDA is installed")
def test_pycuda_is_not_installed() -> None:
    assert sentence().startswith("CUDA needs PyCUDA, which is not installed (no module named 'pycuda')")
    assert "pip install 'irtool[cuda]'" in sentence()


class Unloadable:
    """Finds a PyCUDA that does not load."""

    def __init__(self, why: str) -> None:
        self.why = why

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pycuda":
            raise ImportError(self.why)


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("libcuda.so.1: cannot open shared object file", "CUDA needs NVIDIA's driver, which is not installed"),
        ("undefined symbol: cuArrayCreate_v2", "PyCUDA is installed but does not load"),
    ],
)
def test_pycuda_does_not_load(why: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pycuda"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Unloadable(why), *sys.meta_path])
    assert sentence().startswith(told) and why in sentence()


class Driver(ModuleType):
    """A driver without a device."""

    class Error(Exception):
        pass

    class Device:
        count = staticmethod(lambda: 0)

    def init(self) -> None:
        pass


def test_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", Driver("pycuda.driver"))
    assert sentence().startswith("CUDA needs a GPU, and the driver finds none; look at CUDA_VISIBLE_DEVICES")


def test_there_is_no_compiler_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "find_nvrtc", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainError, match=r"need a compiler of CUDA C, and there is none: install NVRTC"):
        compiler.find_cuda_compiler()


@pytest.mark.skipif(find_spec("pycuda") is not None, reason="PyCUDA is installed")
def test_texts_can_be_had_without_any_of_it() -> None:
    from irtool.dialects.text import parse_module
    from irtool.runtime.backend import find_backend

    module = parse_module("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> { func.return %x : tensor<4xf32> }")
    assert "__global__" in find_backend("cuda").one_file(module)
    np.testing.assert_array_equal(irtool.compile(lambda x: x + 1)(irtool.ones(2)).numpy(), [2, 2])


@pytest.mark.parametrize(("capability", "name"), [((8, 0), "sm_80"), ((8, 9), "sm_89"), ((9, 0), "sm_90a")])
def test_architectures(capability: tuple[int, int], name: str) -> None:
    assert compiler.architecture(capability) == name
