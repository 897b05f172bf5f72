"""What random programs are made of: expressions and statements with holes, a line each.

The first hole of a line picks a tensor, its main one, by a letter and an optional rank:

    x  floats            X  floats that are exact: small multiples of a power of two, in every order of computing
    a  any tensor        A  any exact tensor          i  whole numbers          b  bools
    x2 of rank 2         x2+ of rank 2 or more

The others depend on it:

    y Y  floats that broadcast with it (exact ones)      s S  of its very shape and type     m  a mask of its shape
    d e  dimensions of it, different ones                at  a valid index along d           n  its extent along d
    index  a list of valid indices along d               places  a tensor of such, as gather takes them
    k  a small whole number      c  a small float        p  a tensor that gradients flow to
    shape  its shape             perm  an order of its dimensions          joined split  shapes with as many elements

`=` begins a line whose result is exact where its operands are.
"""

from __future__ import annotations

from pathlib import Path

LINES: dict[str, list[str]] = {}
"""The lines of `statements.txt` by section."""
WEIGHTS = {
    "exact": 22, "smooth": 18, "views": 24, "copies": 14, "integers": 7, "writes": 20, "state": 5, "reads": 5,
    "autograd": 6, "gradients": 6,
}  # fmt: skip
"""How often a statement is of a kind."""
EXPRESSIONS = ("exact", "smooth", "views", "copies", "integers", "reads", "gradients")
"""The kinds whose lines have a value; the others only do something."""

for _line in Path(__file__).with_suffix(".txt").read_text().splitlines():
    if _line.startswith("[") and _line.endswith("]") and " " not in _line and _line.strip("[]").isalpha():
        _section = LINES[_line.strip("[]")] = []
    elif _line:
        _section.append(_line)
