"""Printing of loops-level IR as C that a person can read: `c.print_c`."""
