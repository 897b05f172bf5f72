"""Names and parentheses in generated C."""

from __future__ import annotations

from irtool.codegen.expr import CExpr, binary, unary
from irtool.codegen.names import Names, identifier


def test_names_are_valid_and_apart():
    assert identifier("x.1 y") == "x_1_y"
    assert identifier("3d") == "x3d"
    assert identifier("*/ system(0); /*") == "system_0"
    assert identifier("é*/θ̂") == "e_theta_hat"
    assert identifier("*/") == "value"
    for reserved in ("int", "exp", "expf", "v16f", "load_v16f", "min_f32", "main", "class"):
        assert identifier(reserved) == reserved + "_"
    assert identifier("omp_x") == "xomp_x", "a reserved prefix"
    names = Names(("thread",))
    assert [names.fresh("x") for _ in range(3)] == ["x", "x1", "x2"]
    assert [names.fresh("x1"), names.fresh("thread")] == ["x1_1", "thread1"]
    names.push()
    assert [names.loop(), names.loop(), names.temporary("t")] == ["i", "j", "t0"]
    names.pop()
    assert names.loop() == "i"


def test_parentheses_appear_where_needed():
    x, y, z = CExpr("x"), CExpr("y"), CExpr("z")
    assert binary("-", x, binary("-", y, z)).text == "x - (y - z)"
    assert binary("-", binary("-", x, y), z).text == "x - y - z"
    assert binary("*", binary("+", x, y), z).text == "(x + y) * z"
    assert binary("+", x, CExpr("-2", constant=True)).text == "x - 2"
    assert binary("<<", binary("+", x, y), z).text == "(x + y) << z"
    assert binary("&", binary("==", x, y), z).text == "(x == y) & z"
    assert binary("&&", binary("||", x, y), z).text == "(x || y) && z"
    assert unary("-", unary("-", x)).text == "-(-x)"
    assert unary("!", binary("<", x, y)).text == "!(x < y)"
