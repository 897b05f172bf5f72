"""Names that are not ASCII, or that C or MLIR give a meaning of their own: readable and unique in IR and C."""

from __future__ import annotations

import keyword
import runpy
from itertools import pairwise
from pathlib import Path

import irtool
import numpy as np
import pytest
from click.testing import CliRunner
from irtool import nn, optim
from irtool.codegen.names import RESERVED
from irtool.dialects.names import identifier, to_ascii
from irtool.dialects.text import parse_module, print_op
from irtool.tools.cli import main

STAGES = ("traced", "hl", "kernels", "linalg", "memref", "loops")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("θ", "theta"), ("self.γ", "self_gamma"), ("Δx", "Delta_x"), ("dθ_dt", "dtheta_dt"), ("αβ1", "alpha_beta1"),
        ("λ", "lambda"), ("ϑ", "theta"), ("ς", "final_sigma"), ("ά", "alpha"), ("µ", "mu"), ("x̂", "x_hat"),
        ("σ̄", "sigma_bar"), ("é", "e"), ("ø", "o"), ("потеря", "poterya"), ("Шаг", "Shag"), ("值", "u503c"),
        ("グ", "gu"), ("한글", "han_geul"), ("א", "alef"), ("x₁", "x1"), ("٣", "x3"), ("∇f", "nabla_f"),
        ("d['β']", "d_beta"), ("w[0]", "w_0"), ("_x", "_x"), ("2θ", "x2theta"), ("--", ""), ("\udcff", ""),
    ],
)  # fmt: skip
def test_spelling(text: str, name: str) -> None:
    assert identifier(text) == name


def test_text_keeps_what_is_ascii() -> None:
    assert to_ascii("/home/ü/файл.py:12") == "/home/u/fayl.py:12"
    assert to_ascii("plain [text].") == "plain [text]."
    assert to_ascii("\udcff") == "?"


class Gauß(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.γ = nn.Parameter(irtool.ones(3))
        self.слой = nn.Linear(3, 3)
        self.веса = nn.ParameterDict({"α": nn.Parameter(irtool.ones(3)), "值": nn.Parameter(irtool.ones(3))})
        self.register_buffer("μ", irtool.zeros(3))

    def forward(self, x: irtool.Tensor, σ: irtool.Tensor) -> irtool.Tensor:
        self.μ.mul_(0.9).add_(x.mean(0))
        θ̂ = self.слой(x * self.γ) + self.веса["α"] * σ + self.веса["值"]
        return (θ̂ - self.μ).exp().mean()


def train(compiled: bool) -> tuple[list[float], list[float], object]:
    irtool.manual_seed(0)
    model = Gauß()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    данные = {"β": irtool.ones(3)}

    def шаг(x: irtool.Tensor, σ: irtool.Tensor, d: dict[str, irtool.Tensor]) -> dict[str, irtool.Tensor]:
        theta = model(x, σ) + d["β"].sum()
        θ = theta * 2 + данные["β"].sum()
        optimizer.zero_grad()
        θ.backward()
        optimizer.step()
        return {"θ": θ, "ϑ": theta}

    step = irtool.compile(шаг) if compiled else шаг
    σ, x = irtool.ones(3), irtool.arange(6.0).reshape(2, 3)
    losses = [step(x, σ, {"β": σ + 1})["θ"].item() for _ in range(3)]
    return losses, model.μ.tolist(), step


def test_a_model_in_greek_trains() -> None:
    losses, buffer, step = train(compiled=True)
    expected, buffer_expected, _ = train(compiled=False)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(buffer, buffer_expected, rtol=1e-5)
    traced = step.ir("traced")  # type: ignore[attr-defined]
    for name in (
        "%gamma",
        "%dgamma",
        "%gamma_exp_avg",
        "%mu",
        "%alpha",
        "%theta",
        "%theta_hat",
        "%sigma",
        "%beta",
        "%dannye_beta",
    ):
        assert f"{name} " in traced or f"{name}:" in traced or f"{name}_1" in traced, f"{name}\n{traced}"
    for stage in STAGES:
        text = step.ir(stage)  # type: ignore[attr-defined]
        assert text.isascii() and print_op(parse_module(text), locations=False) == text
    source = step.source()  # type: ignore[attr-defined]
    assert source.isascii() and "gamma" in source


def test_names_with_a_meaning_of_their_own() -> None:
    """As arguments and variables, all of them next to each other."""
    names = sorted({n for n in RESERVED if n.isidentifier()} - {"true", "false"})[::9]
    names += ["int", "exp", "expf", "buffers", "arena", "workspace", "thread", "threads", "team", "step", "func"]
    names += ["tensor", "memref", "f32", "index", "loc", "module", "none", "dense", "v16f", "load_v16f", "t0", "i"]
    names = [n for n in dict.fromkeys(names) if not keyword.iskeyword(n)]
    lines = [f"    {n} = {n} * {n} + {other}" for n, other in pairwise(names)]
    text = "\n".join([f"def f({', '.join(names)}):", *lines, f"    return {' + '.join(names)}"])
    namespace: dict[str, object] = {}
    exec(compile(text, "<names>", "exec"), namespace)
    f = namespace["f"]
    arguments = [irtool.full((5,), 1 / (1 + i)) for i in range(len(names))]
    compiled = irtool.compile(f)  # type: ignore[arg-type]
    np.testing.assert_allclose(compiled(*arguments).numpy(), f(*arguments).numpy(), rtol=1e-5)  # type: ignore[operator]
    for stage in STAGES:
        text = compiled.ir(stage)
        assert print_op(parse_module(text), locations=False) == text


def test_a_file_with_such_a_name_through_every_command(tmp_path: Path) -> None:
    file, lowered = tmp_path / "обучение_θ.py", tmp_path / "θ.mlir"
    file.write_text("def шаг(θ: 'f32[3]', σ: 'f32[3]'):\n    λ = θ * σ\n    return λ.exp()\n", encoding="utf-8")
    runpy.run_path(str(file))

    def irtool_command(*arguments: object) -> str:
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    irtool_command("trace", f"{file}:шаг", "--print-debuginfo", "-o", lowered)
    assert "%lambda = hl.mul %theta, %sigma" in lowered.read_text(encoding="utf-8")
    assert irtool_command("opt", lowered, "--print-debuginfo") == lowered.read_text(encoding="utf-8")
    source = irtool_command("translate", lowered)
    assert source.isascii() and "obuchenie_theta.py:2" in source and "mul_exp(theta, sigma, out, 0, 1);" in source
    np.savez(tmp_path / "in.npz", theta=np.ones(3, np.float32), sigma=np.zeros(3, np.float32))
    assert "[1. 1. 1.]" in irtool_command("run", lowered, "-i", tmp_path / "in.npz")


def test_arguments_that_are_spelled_alike(tmp_path: Path) -> None:
    """Files of arrays name them as the IR does."""
    file, lowered, inputs = tmp_path / "f.py", tmp_path / "f.mlir", tmp_path / "in.npz"
    file.write_text("def f(θ: 'f32[1]', theta: 'f32[1]'):\n    return θ + 10 * theta\n", "utf-8")
    assert CliRunner().invoke(main, ["trace", f"{file}:f", "-o", str(lowered)]).exit_code == 0
    assert "@step(%theta: tensor<1xf32>, %theta_1: tensor<1xf32>" in lowered.read_text()
    np.savez(inputs, theta=np.float32([1]), theta_1=np.float32([2]))  # type: ignore[arg-type]
    result = CliRunner().invoke(main, ["run", str(lowered), "-i", str(inputs)])
    assert result.exit_code == 0 and result.stdout.endswith("[12.]\n"), result.output
