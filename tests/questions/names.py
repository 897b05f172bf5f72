"""What the rows may name."""

# ruff: noqa: F401
from __future__ import annotations

import array
import ast
import atexit
import base64
import bisect
import cmath
import collections
import collections.abc
import colorsys
import concurrent.futures
import contextlib
import contextvars
import copy
import csv
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gc
import hashlib
import heapq
import inspect
import io
import ipaddress
import itertools
import json
import logging
import marshal
import math
import mmap
import numbers
import operator
import os
import pickle
import pprint
import queue
import random
import re
import reprlib
import secrets
import socket
import sqlite3
import statistics
import string
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import timeit
import traceback
import types
import typing
import uuid
import warnings
import weakref
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

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
