"""Eager code on a device: each op is a program of its own, and copies are programs where elements lie apart."""
