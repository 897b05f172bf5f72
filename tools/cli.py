"""The `irtool` command.

irtool opt FILE -p "differentiate,simplify"        run passes on textual IR
irtool trace train.py:step                         the IR of a traced function
irtool translate --to c FILE                       C from any level
irtool run FILE                                    evaluate a program at any level
irtool doctor                                      what this machine can do
"""

from __future__ import annotations

from typing import Any

import click

from .errors import CommandLine, reported

DEBUG_INFO = click.option("--print-debuginfo", "debuginfo", is_flag=True, help="Print the location of every op.")


class FilePath(click.Path):
    """A path, which the empty text is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, got ''", param, ctx)
        return super().convert(value, param, ctx)


FILE = FilePath(allow_dash=True)
OUTPUT = click.option("-o", "--output", type=FilePath(dir_okay=False), help="Write to a file instead of stdout.")


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="irtool")
def main() -> None:
    """Inspect, transform, translate and run irtool programs at every level."""


@main.command()
@click.argument("file", type=FILE, default="-")
@click.option("-p", "--passes", default="", help="Passes to run, in order: 'cse,vectorize{vector_bits=256}'.")
@click.option("--pipeline", default=None, help="Run the stages of a target (cpu) that the module has not been through.")
@click.option(
    "--stop-after", default=None, help="With --pipeline: the last stage to run (hl, kernels, linalg, memref, loops)."
)
@click.option(
    "--target",
    "machine",
    default=None,
    help="The machine passes plan for: avx512, avx2, neon, generic; default: this one.",
)
@click.option("--print-ir-after-all", is_flag=True, help="Print the IR to stderr after every pass.")
@click.option(
    "--split-input-file", is_flag=True, help="Treat the parts between lines '// -----' as files of their own."
)
@click.option("--verify-each", is_flag=True, help="Verify after every pass, not only at the end.")
@click.option(
    "--verify-diagnostics",
    is_flag=True,
    help="Expect the errors that comments '// expected-error@+1 {{text}}' announce.",
)
@click.option("--timing", is_flag=True, help="Print the time of every pass to stderr.")
@click.option("--list-passes", "list_all", is_flag=True, help="List the passes and stages, and stop.")
@DEBUG_INFO
@OUTPUT
def opt(file: str, **options: object) -> None:
    """Run passes on textual IR; IR goes to stdout, everything else to stderr."""
    from .opt import run_opt

    with reported(file):
        run_opt(file, **options)  # pyright: ignore[reportArgumentType]


@main.command()
@click.argument("place", metavar="FILE.py:FUNCTION")
@click.argument("arguments", nargs=-1, metavar="[f32[64,784]]...")
@click.option("--stop-after", default=None, help="Continue to a stage: hl, kernels, linalg, memref, loops.")
@DEBUG_INFO
@OUTPUT
def trace(place: str, arguments: tuple[str, ...], stop_after: str | None, debuginfo: bool, output: str | None) -> None:
    """Print the IR that a function of a Python file is traced to.

    The file is run. The function's arguments are those given here, as types, or as annotations of its parameters;
    otherwise it must be decorated with irtool.compile and called by the file.
    """
    from .commands import run_trace

    with reported(place.rpartition(":")[0]):
        run_trace(place, arguments, stop_after, debuginfo, output)


@main.command()
@click.argument("file", type=FILE)
@click.option("--to", "language", default="c", show_default=True, help="The language to print: c.")
@OUTPUT
def translate(file: str, language: str, output: str | None) -> None:
    """Print a module at any level as one self-contained C file."""
    from .commands import run_translate

    with reported(file):
        run_translate(file, language, output)


@main.command()
@click.argument("file", type=FILE)
@click.option(
    "-i",
    "--inputs",
    type=FilePath(exists=True, dir_okay=False),
    help="An .npz with the arguments, by name or as arg0, arg1, ...",
)
@click.option(
    "-s", "--seed", default=0, type=click.IntRange(0), show_default=True, help="For arguments that are generated."
)
@click.option(
    "--target", default=None, help="What runs it: reference or cpu; default: reference for hl as traced, cpu below."
)
@click.option("--compiled", "target", flag_value="cpu", help="The same as --target cpu.")
@click.option("--threads", default=None, type=click.IntRange(1), help="How many threads the compiled program uses.")
@click.option("-o", "--output", type=FilePath(dir_okay=False), help="Save the results to an .npz file.")
def run(file: str, inputs: str | None, seed: int, target: str | None, threads: int | None, output: str | None) -> None:
    """Run a program at any level: hl by its reference meaning, lower levels through the rest of the pipeline."""
    from .run import run_file

    with reported(file):
        run_file(file, inputs, seed, target, threads, output)


@main.command()
@click.argument("file", type=FILE)
@click.option("--stop-after", default=None, help="The last stage: hl, kernels, linalg, memref, loops; default: C.")
@click.option("--html", "as_html", is_flag=True, help="One page with what each pass changed.")
@OUTPUT
def stages(file: str, stop_after: str | None, as_html: bool, output: str | None) -> None:
    """Print the program after every pass."""
    from .stages import run_stages

    with reported(file):
        run_stages(file, stop_after, as_html, output)


@main.command()
def doctor() -> None:
    """Say what this machine can do: compiler, vector unit, caches, threads, GPU."""
    from .commands import run_doctor

    with reported():
        raise SystemExit(run_doctor())
