"""`irtool stages`: a program after every pass, as text or as one HTML page."""

from __future__ import annotations

import html
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp

from ..dialects.text import parse_module, print_op
from .opt import read
from .output import write

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
 body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }}
 pre {{ font: 13px/1.45 ui-monospace, monospace; overflow-x: auto; background: #f6f6f4; padding: 1rem; }}
 summary {{ cursor: pointer; padding: .2rem 0; }} summary b {{ display: inline-block; min-width: 16rem; }}
 .same {{ color: #888; }}
 del {{ background: #fdd; text-decoration: none; }} ins {{ background: #dfd; text-decoration: none; }}
</style></head><body>
<h1>{title}</h1>
<p>The program after each pass that changed it; lines that a pass removed or added are marked.</p>
{sections}
</body></html>
"""


@dataclass(frozen=True)
class Snapshot:
    """The text after a pass."""

    stage: str
    name: str
    text: str
    ops: int


def snapshots(module: ModuleOp, until: str | None, target: str = "cpu") -> list[Snapshot]:
    """The module as it is, then after every pass of the stages that are left, and at last its text."""
    from ..passes.pipeline import stages
    from ..runtime.backend import find_backend
    from ..runtime.lowering import level_of

    def take(stage: str, name: str, now: ModuleOp) -> Snapshot:
        return Snapshot(stage, name, print_op(now, False), sum(1 for _ in now.walk()))

    backend = find_backend(target)
    stages(backend.pipeline, until=until)
    found = [take(level_of(module) or "traced", "input", module)]

    def observe(stage: str, name: str, now: ModuleOp) -> None:
        found.append(take(stage, name, now))

    backend.lower(module, until, observe=observe)
    if until is None and backend.language is not None:
        source = backend.one_file(module)
        found.append(Snapshot(backend.language, "print", source, source.count("\n")))
    return found


def run_stages(file: str, until: str | None, as_html: bool, output: str | None) -> None:
    """Runs the command; errors go through `reported`."""
    from ..passes.verify import verify

    text, name = read(file)
    module = parse_module(text, name)
    verify(module)
    found = snapshots(module, until)
    write(page(name, found) if as_html else plain(found), output)


def plain(found: list[Snapshot]) -> str:
    """One after the other, those that a pass left as they were by name only."""
    parts: list[str] = []
    before = ""
    for snapshot in found:
        heading = f"// ----- {snapshot.stage}: {snapshot.name}"
        parts.append(f"{heading} changes nothing\n" if snapshot.text == before else f"{heading}\n{snapshot.text}")
        before = snapshot.text
    return "\n".join(parts)


def page(title: str, found: list[Snapshot]) -> str:
    """One page, with what each pass changed."""
    sections: list[str] = []
    before = ""
    for snapshot in found:
        unit = "lines" if snapshot.stage == "c" else "ops"
        label = f"<b>{html.escape(snapshot.stage)}: {html.escape(snapshot.name)}</b> {snapshot.ops} {unit}"
        if snapshot.text == before:
            sections.append(f'<p class="same">{label}, unchanged</p>')
            continue
        body = html.escape(snapshot.text) if not before or snapshot.stage == "c" else marked(before, snapshot.text)
        sections.append(f"<details><summary>{label}</summary><pre>{body}</pre></details>")
        before = snapshot.text
    return PAGE.format(title=html.escape(title), sections="\n".join(sections))


def marked(before: str, after: str) -> str:
    """The text after, with removed and added lines marked."""
    import difflib

    old, new = before.splitlines(), after.splitlines()
    lines: list[str] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=True).get_opcodes():
        if tag == "equal":
            lines.extend(map(html.escape, new[k:m]))
        else:
            lines.extend(f"<del>{html.escape(line)}</del>" for line in old[i:j])
            lines.extend(f"<ins>{html.escape(line)}</ins>" for line in new[k:m])
    return "\n".join(lines)
