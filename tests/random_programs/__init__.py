"""Random programs in the style of what people write, compared eager against compiled.

statements.py    a table of statements, with holes
generate.py      fills them with what a program has so far, by running it while it is written
compare.py       runs a program both ways, and tells whether anybody could see a difference
shrink.py        the fewest statements that still differ
__main__.py      `make fuzz`
"""
