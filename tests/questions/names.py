"""What the rows may name."""

# ruff: noqa: F401
from __future__ import annotations

import array
import ast
import base64
import bisect
import cmath
import collections
import collections.abc
import colorsys
import contextlib
import copy
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import heapq
import inspect
import ipaddress
import itertools
import json
import marshal
import math
import numbers
import operator
import pickle
import pprint
import random
import reprlib
import statistics
import string
import struct
import sys
import textwrap
import time
import types
import typing
import uuid
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import irtool as torch
import numpy as np
from irtool import nn, optim
from irtool.nn import functional as F

log: list[Any] = []
memo: dict[Any, Any] = {}
o: Any = None


def meant_for(*sequences: str) -> Callable[[Any], Any]:
    """The sequences that a row is meant for."""

    def mark(f: Any) -> Any:
        f.sequences = sequences
        return f

    return mark
