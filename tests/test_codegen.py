"""The C of whole kernels: what it computes, and how it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from irtool.codegen.c import print_c
from irtool.codegen.printer import comment_text
from irtool.codegen.types import CodegenError
from irtool.dialects.locations import at_line
from irtool.dialects.text import parse_module
from irtool.runtime.cache import content_key
from irtool.runtime.program import NativeProgram
from irtool.runtime.threads import get_num_threads, set_num_threads
from irtool.runtime.toolchain import build_program, find_compiler, without_comments
from xdsl.dialects.builtin import UNKNOWN_LOC, ModuleOp, NameLoc, StringAttr


def run(text: str, *arrays: np.ndarray, threads: int = 1) -> None:
    """Compiles the module's C and calls its host function on the arrays."""
    run_module(parse_module(text), *arrays, threads=threads)


def run_module(module: ModuleOp, *arrays: np.ndarray, threads: int = 1) -> None:
    """Compiles the module's C and calls its host function on the arrays."""
    program = print_c(module)
    sources = {f"{name}.c": source for name, source in program.units.items()} | {"step.c": program.host}
    plan = {"entry": program.entry, "buffers": len(arrays), "arena": 1 << 16, "workspace": 1 << 16}
    entry = build_program(content_key(*sources.values()), sources, plan)
    before = get_num_threads()
    try:
        set_num_threads(threads)
        NativeProgram(entry.shared_object, entry.plan).bind([a.ctypes.data for a in arrays]).run()
    finally:
        set_num_threads(before)


def kernel(body: str, arguments: str) -> str:
    """A module: one kernel with common constants, and a host function that passes its own arguments on."""
    constants = "\n".join(f"  %c{n} = arith.constant {n} : index" for n in (0, 1, 2, 3, 4, 8, 15, 16, 21, 64))
    names = ", ".join(part.split(":")[0] for part in arguments.split(", "))
    types = ", ".join(part.split(": ")[1] for part in arguments.split(", "))
    return f"""
func.func private @k({arguments}) attributes {{irtool.kernel}} {{
{constants}
{body}
  func.return
}}
func.func @step({arguments.replace("memref<?xi8>", "memref<?xi8> {irtool.workspace}")}) {{
  spmd.parallel {{
    func.call @k({names}) : ({types}) -> ()
  }}
  func.return
}}"""


def body_of(text: str) -> str:
    """The statements of the only kernel, without indentation."""
    (source,) = print_c(parse_module(text)).units.values()
    function = source[source.index("void k(") :]
    return function[function.index("{") + 2 : function.rindex("}")].replace("\n    ", "\n").strip()


def test_loop_carried_values_are_assigned_at_once():
    text = kernel(
        """
  %a0 = arith.constant 0 : i64
  %b0 = arith.constant 1 : i64
  %p, %q = scf.for %i = %c0 to %c8 step %c1 iter_args(%a = %a0, %b = %b0) -> (i64, i64) {
    %s = arith.addi %a, %b : i64
    memref.store %a, %out[%i] : memref<8xi64>
    scf.yield %b, %s : i64, i64
  }
  %r, %t = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %p, %b = %q) -> (i64, i64) {
    scf.yield %b, %a : i64, i64
  }
  memref.store %r, %out[%c0] : memref<8xi64>""",
        "%out: memref<8xi64>",
    )
    out = np.zeros(8, np.int64)
    run(text, out)
    assert out.tolist() == [34, 1, 1, 2, 3, 5, 8, 13]


def test_a_nested_reduction_shares_its_variable():
    text = kernel(
        """
  %z = arith.constant 0.0 : f32
  %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%outer = %z) -> (f32) {
    %inner = scf.for %j = %c0 to %c8 step %c1 iter_args(%acc = %outer) -> (f32) {
      %v = memref.load %x[%i, %j] : memref<4x8xf32>
      %s = arith.addf %acc, %v : f32
      scf.yield %s : f32
    }
    scf.yield %inner : f32
  }
  memref.store %sum, %x[%c0, %c0] : memref<4x8xf32>""",
        "%x: memref<4x8xf32>",
    )
    x = np.arange(32, dtype=np.float32).reshape(4, 8)
    run(text, x)
    assert x[0, 0] == 496
    assert body_of(text).count("sum +=") == 1 and "outer" not in body_of(text) and "acc" not in body_of(text)


def test_an_inner_loop_that_runs_often_from_one_start_does_not_share():
    text = kernel(
        """
  %z = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%outer = %z) -> (i64) {
    scf.for %k = %c0 to %c3 step %c1 {
      %inner = scf.for %j = %c0 to %c8 step %c1 iter_args(%acc = %outer) -> (i64) {
        %s = arith.addi %acc, %one : i64
        scf.yield %s : i64
      }
      memref.store %inner, %x[%i] : memref<4xi64>
    }
    %v = memref.load %x[%i] : memref<4xi64>
    scf.yield %v : i64
  }""",
        "%x: memref<4xi64>",
    )
    x = np.zeros(4, np.int64)
    run(text, x)
    assert x.tolist() == [8, 16, 24, 32]


def test_while_and_if():
    text = kernel(
        """
  %n0 = arith.constant 0 : i64
  %n1 = arith.constant 1 : i64
  %n2 = arith.constant 2 : i64
  %n3 = arith.constant 3 : i64
  scf.for %i = %c0 to %c8 step %c1 {
    %x0 = memref.load %x[%i] : memref<8xi64>
    %v, %steps = scf.while (%y = %x0, %n = %n0) : (i64, i64) -> (i64, i64) {
      %go = arith.cmpi sgt, %y, %n1 : i64
      scf.condition(%go) %y, %n : i64, i64
    } do {
    ^bb0(%y: i64, %n: i64):
      %m = arith.addi %n, %n1 : i64
      %rem = arith.remsi %y, %n2 : i64
      %even = arith.cmpi eq, %rem, %n0 : i64
      %z = scf.if %even -> (i64) {
        %h = arith.divsi %y, %n2 : i64
        scf.yield %h : i64
      } else {
        %t = arith.muli %y, %n3 : i64
        %u = arith.addi %t, %n1 : i64
        scf.yield %u : i64
      }
      scf.yield %z, %m : i64, i64
    }
    memref.store %steps, %x[%i] : memref<8xi64>
  }""",
        "%x: memref<8xi64>",
    )
    x = np.arange(1, 9)
    run(text, x)
    assert x.tolist() == [0, 1, 7, 2, 5, 8, 16, 3]  # steps of the Collatz sequence


def test_a_load_does_not_move_past_a_store_or_a_barrier():
    for between in ("memref.store %v, %x[%c0] : memref<8xf32>", "spmd.barrier"):
        text = kernel(
            f"""
  %v = arith.constant 1.0 : f32
  %old = memref.load %x[%c1] : memref<8xf32>
  {between}
  memref.store %old, %x[%c2] : memref<8xf32>""",
            "%x: memref<8xf32>",
        )
        assert body_of(text).startswith("float old = x[1];") and body_of(text).endswith("x[2] = old;")


def test_masks_and_workspace():
    text = kernel(
        """
  %z = arith.constant dense<0.0> : vector<16xf32>
  %one = arith.constant dense<1.0> : vector<16xf32>
  %tile = memref.alloca() : memref<2xvector<16xf32>>
  %acc = memref.alloca() : memref<f32>
  %zero = arith.constant 0.0 : f32
  %w = memref.view %workspace[%c64][] : memref<?xi8> to memref<4xvector<16xf32>>
  memref.store %z, %w[%c1] : memref<4xvector<16xf32>>
  memref.store %zero, %acc[] : memref<f32>
  scf.for %k = %c0 to %c2 step %c1 {
    memref.store %one, %tile[%k] : memref<2xvector<16xf32>>
  } {unroll}
  scf.for %i = %c0 to %c3 step %c1 {
    scf.for %j = %c0 to %c21 step %c16 {
      %n = arith.subi %c21, %j : index
      %m = vector.create_mask %n : vector<16xi1>
      %a = vector.maskedload %x[%i, %j], %m, %z : memref<3x21xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
      %t = memref.load %tile[%c1] : memref<2xvector<16xf32>>
      %b = arith.addf %a, %t : vector<16xf32>
      %old = memref.load %w[%c1] : memref<4xvector<16xf32>>
      %new = arith.addf %old, %a : vector<16xf32>
      memref.store %new, %w[%c1] : memref<4xvector<16xf32>>
      vector.maskedstore %x[%i, %j], %m, %b : memref<3x21xf32>, vector<16xi1>, vector<16xf32>
    }
  }
  %all = memref.load %w[%c1] : memref<4xvector<16xf32>>
  %start = memref.load %acc[] : memref<f32>
  %sum = vector.reduction <add>, %all, %start : vector<16xf32> into f32
  memref.store %sum, %out[%c0] : memref<2xf32>
  %top = vector.reduction <maximumf>, %all : vector<16xf32> into f32
  memref.store %top, %out[%c1] : memref<2xf32>""",
        "%x: memref<3x21xf32>, %out: memref<2xf32>, %workspace: memref<?xi8>",
    )
    x, out = np.arange(63, dtype=np.float32).reshape(3, 21), np.zeros(2, np.float32)
    before = x.copy()
    run(text, x, out)
    assert np.array_equal(x, before + 1)
    lanes = np.pad(before, ((0, 0), (0, 11))).reshape(6, 16).sum(0)
    assert out.tolist() == [before.sum(), lanes.max()]


def test_views_of_memory():
    text = kernel(
        """
  %flat = memref.collapse_shape %x [[0 : i64, 1 : i64]] : memref<3x21xf32> into memref<63xf32>
  %row = memref.subview %x[2, 0] [1, 21] [1, 1] : memref<3x21xf32> to memref<21xf32, strided<[1], offset: 42>>
  %even = memref.reinterpret_cast %x to offset: [1], sizes: [3, 4], strides: [21, 2]
      : memref<3x21xf32> to memref<3x4xf32, strided<[21, 2], offset: 1>>
  %part = memref.subview %x[1, 4] [2, 8] [1, 1] : memref<3x21xf32> to memref<2x8xf32, strided<[21, 1], offset: 25>>
  %a = memref.load %flat[%c21] : memref<63xf32>
  %b = memref.load %row[%c1] : memref<21xf32, strided<[1], offset: 42>>
  %c = memref.load %even[%c2, %c3] : memref<3x4xf32, strided<[21, 2], offset: 1>>
  %d = memref.load %part[%c1, %c2] : memref<2x8xf32, strided<[21, 1], offset: 25>>
  memref.store %a, %out[%c0] : memref<8xf32>
  memref.store %b, %out[%c1] : memref<8xf32>
  memref.store %c, %out[%c2] : memref<8xf32>
  memref.store %d, %out[%c3] : memref<8xf32>""",
        "%x: memref<3x21xf32>, %out: memref<8xf32>",
    )
    x, out = np.arange(63, dtype=np.float32).reshape(3, 21), np.zeros(8, np.float32)
    run(text, x, out)
    assert out[:4].tolist() == [21, 43, 42 + 7, 42 + 6]


EXTREMES = {"maximumf": np.max, "minimumf": np.min, "maxnumf": np.nanmax, "minnumf": np.nanmin}
BITS = {"and": np.bitwise_and.reduce, "or": np.bitwise_or.reduce, "xor": np.bitwise_xor.reduce}
REDUCTIONS = {
    "f32": {"add": np.sum, "mul": np.prod, **EXTREMES},
    "f64": {"add": np.sum, "mul": np.prod, **EXTREMES},
    "i64": {"add": np.sum, "mul": np.prod, "maxsi": np.max, "minsi": np.min, **BITS},
    "i1": {"and": np.all, "or": np.any},
}


@pytest.mark.parametrize("type_", REDUCTIONS)
@pytest.mark.parametrize("special", [False, True])
def test_reductions(type_: str, special: bool):
    kinds = REDUCTIONS[type_]
    lines = [f"  %v = vector.load %x[%c0] : memref<16x{type_}>, vector<16x{type_}>"]
    for number, kind in enumerate(kinds):
        lines.append(f"  %i{number} = arith.constant {number} : index")
        lines.append(f"  %r{number} = vector.reduction <{kind}>, %v : vector<16x{type_}> into {type_}")
        lines.append(f"  memref.store %r{number}, %out[%i{number}] : memref<8x{type_}>")
    dtype = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i1": np.bool_}[type_]
    x, out = np.arange(1, 17).astype(dtype), np.zeros(8, dtype)
    if special:
        x[3] = {"f32": np.nan, "f64": np.nan, "i64": -5, "i1": False}[type_]
    run(kernel("\n".join(lines), f"%x: memref<16x{type_}>, %out: memref<8x{type_}>"), x, out)
    expected = np.array([function(x) for function in kinds.values()]).astype(dtype)
    assert np.allclose(out[: len(kinds)], expected, rtol=1e-6, equal_nan=True)


def test_gather_by_lanes():
    text = kernel(
        """
  %idx = vector.load %index[%c0] : memref<16xi64>, vector<16xi64>
  %z = arith.constant dense<0.5> : vector<16xf32>
  %i0 = vector.extract %idx[0] : i64 from vector<16xi64>
  %j0 = arith.index_cast %i0 : i64 to index
  %x0 = memref.load %x[%j0, %c2] : memref<4x3xf32>
  %v0 = vector.insert %x0, %z[0] : f32 into vector<16xf32>
  %i1 = vector.extract %idx[%c15] : i64 from vector<16xi64>
  %j1 = arith.index_cast %i1 : i64 to index
  %x1 = memref.load %x[%j1, %c2] : memref<4x3xf32>
  %v1 = vector.insert %x1, %v0[%c15] : f32 into vector<16xf32>
  vector.store %v1, %out[%c0] : memref<16xf32>, vector<16xf32>""",
        "%x: memref<4x3xf32>, %index: memref<16xi64>, %out: memref<16xf32>",
    )
    x, index, out = np.arange(12, dtype=np.float32).reshape(4, 3), np.arange(16) % 4, np.zeros(16, np.float32)
    run(text, x, index, out)
    assert out.tolist() == [2, *[0.5] * 14, 11]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_team_shares_its_work(threads: int):
    text = kernel(
        """
  %me = spmd.thread_id : index
  %team = spmd.thread_count : index
  scf.for %i = %me to %c64 step %team {
    %v = memref.load %x[%i] : memref<64xi64>
    %w = arith.addi %v, %v : i64
    memref.store %w, %x[%i] : memref<64xi64>
  }
  spmd.barrier
  scf.for %i = %me to %c64 step %team {
    %last = arith.subi %c64, %i : index
    %j = arith.subi %last, %c1 : index
    %v = memref.load %x[%j] : memref<64xi64>
    memref.store %v, %out[%i] : memref<64xi64>
  }""",
        "%x: memref<64xi64>, %out: memref<64xi64>",
    )
    x, out = np.arange(64), np.zeros(64, np.int64)
    run(text, x, out, threads=threads)
    assert out.tolist() == list(range(126, -2, -2))


def test_an_op_without_a_c_form_is_named_with_its_line():
    text = kernel("  %a = memref.alloc() : memref<8xf32>", "%x: memref<8xf32>")
    module = parse_module(text)
    (alloc,) = (op for op in module.walk() if op.name == "memref.alloc")
    alloc.location = at_line("/home/me/train.py", 11)
    with pytest.raises(CodegenError, match=r"^no C for memref\.alloc, at train\.py:11$"):
        print_c(module)
    alloc.location = UNKNOWN_LOC
    with pytest.raises(CodegenError, match=r"^no C for memref\.alloc$"):
        print_c(module)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("%v = arith.constant 1.0 : f16", "no C type for f16"),
        ("%a = memref.alloca(%c4) : memref<?xf32>", "local arrays have a fixed size"),
        ("%a = memref.alloca() : memref<1000000x1000000xf32>", "local arrays have at most 1048576 bytes"),
        ("%a = memref.alloca() : memref<1024x1024xvector<16xi1>>", "local arrays have at most 1048576 bytes"),
        ("%v = arith.constant dense<0.0> : vector<12xf32>\n  %w = arith.addf %v, %v : vector<12xf32>", "power of two"),
        ("%v = vector.create_mask %c4 : vector<1073741824xi1>", "power of two of lanes, at most 1024"),
        ("%v = arith.constant dense<0.0> : vector<2x2xf32>\n  %w = arith.addf %v, %v : vector<2x2xf32>", "1-D"),
    ],
)
def test_what_c_cannot_say_is_an_error(body: str, message: str):
    with pytest.raises(CodegenError, match=message):
        print_c(parse_module(kernel("  " + body, "%x: memref<8xf32>")))


def test_hostile_names_and_file_names_stay_harmless():
    text = kernel(
        "  %v = memref.load %x[%c1] : memref<8xf32>\n  memref.store %v, %x[%c2] : memref<8xf32>", "%x: memref<8xf32>"
    )
    module = parse_module(text)
    (function, _) = module.body.block.ops
    function.body.block.args[0].name_hint = "exp"
    function.location = at_line("evil\nsystem(0);\\", 1)
    source = print_c(module).units["k"]
    assert "\nsystem" not in source and "float exp_[restrict 8]" in source


@pytest.mark.parametrize(
    "name", ["a\\", "a??/", "a\\ ", "a\r\\\n", "a\u2028b\\", "*/ b /*", "\u202eb", "splat_v1073741824f"]
)
def test_nothing_in_a_comment_reaches_the_compiler(name: str):
    """Whatever a file is called: the comments end with their lines, and call for no definitions."""
    assert comment_text(name).isprintable() and not comment_text(name).endswith(("\\", "??/"))
    module = parse_module(kernel("", "%x: memref<8xf32>"))
    plain = without_comments(print_c(module).one_file())
    for op in module.walk():
        op.location = NameLoc(StringAttr(name), UNKNOWN_LOC)
    source = print_c(module).one_file()
    assert without_comments(source) == plain


@pytest.mark.parametrize(
    "name",
    ["int", "größe", "名前", "9lives", "", "a b;c", "__builtin_trap", "_start", "v16f", "load_v16f", "NAN", "I",
     "errno", "omp_get_num_threads", "x" * 500, "main", "barrier", "thread", "threads", "workspace", "arena", "buffers",
     "team", "step", "min_f32", "class", "asm", "_Bool", "GOMP_parallel", "__func__", "sinf", "j", "linux", "exit",
     "min_f", "same_as_before", "float_as_int", "v16f_u", "omp_x"],
)  # fmt: skip
def test_any_name_becomes_one_of_c(name: str):
    """For a kernel, for buffers of it and of the host, for values; next to the buffers that every program has."""
    text = kernel(
        """  %p = memref.view %w[%c0][] : memref<?xi8> to memref<8xf32>
  %v = memref.load %x[%c1] : memref<8xf32>
  memref.store %v, %p[%c2] : memref<8xf32>
  %u = memref.load %p[%c2] : memref<8xf32>
  %y = arith.addf %u, %v : f32
  memref.store %y, %x[%c2] : memref<8xf32>
  memref.store %y, %x[%c3] : memref<8xf32>""",
        "%x: memref<8xf32>, %w: memref<?xi8>",
    )
    module = parse_module(text)
    (function, host) = module.body.block.ops
    host.sym_name = StringAttr(name or "step")
    hints = [*host.body.block.args, *(r for op in function.walk() for r in op.results), *function.body.block.args]
    for value in hints:
        value._name = name  # as from a program: the setter would refuse some
    x = np.arange(8, dtype=np.float32)
    run_module(module, x)
    assert x.tolist() == [0, 1, 2, 2, 4, 5, 6, 7]


def test_a_kernel_called_like_a_function_of_c_gets_another_name():
    text = kernel("", "%x: memref<8xf32>").replace("@k", "@exp")
    program = print_c(parse_module(text))
    assert "void exp_(" in program.units["exp_"] and "exp_(x" in program.host


@pytest.mark.parametrize("value", [0.1, 1e-45, 3.4028235e38, -0.0, 1 / 3, 16777216.0, 1e20, float("inf")])
def test_constants_are_exact(value: float):
    body = f"""  %v = arith.constant {np.float32(value)!s} : f32
  memref.store %v, %x[%c0] : memref<1xf32>"""
    if value == float("inf"):
        body = body.replace("inf", "0x7f800000")
    elif "." not in str(np.float32(value)):
        body = body.replace("e", ".0e", 1) if "e" in str(np.float32(value)) else body
    x = np.ones(1, np.float32)
    run(kernel(body, "%x: memref<1xf32>"), x)
    assert x.tobytes() == np.float32(value).tobytes()


def test_a_register_tile_stays_in_registers(tmp_path: Path):
    compiler = find_compiler()
    if "__AVX512F__" not in compiler.features or not compiler.version.startswith("gcc"):
        pytest.skip("looks at what gcc makes of AVX-512")
    module = parse_module((Path(__file__).parent / "ir/codegen/vectors.mlir").read_text())
    (tmp_path / "tile.c").write_text(print_c(module).units["tile"])
    compiler.run([*compiler.flags, "-S", "-o", str(tmp_path / "tile.s"), str(tmp_path / "tile.c")])
    assembly = (tmp_path / "tile.s").read_text()
    assert assembly.count("vfmadd") == 28
    assert not [line for line in assembly.splitlines() if "zmm" in line and "rsp" in line]
