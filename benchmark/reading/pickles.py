"""Pickles of other people: arrays of numbers in plain containers, and nothing else that a pickle may do.

A pickle is a program. Here no name in it is looked up in a module, and its texts and arrays get no more memory than its
own size accounts for. Writing is for synthetic recordings: protocol 2, as Python 2 and numpy 1 wrote it.
"""

import math
import os
import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmark.files import replacing
from benchmark.reading import sizes
from benchmark.types import Unusable

STEPS = 10**6  # of the program that a pickle is; a session of WESAD takes some hundreds
CORES = ("numpy.core", "numpy._core")  # before and since numpy 2
NUMBERS = r"[biuf][1248]"
NEEDLESS = (
    pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ, pickle.NEWOBJ,
    pickle.NEWOBJ_EX, pickle.EMPTY_SET, pickle.FROZENSET, pickle.ADDITEMS, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip  # operations that neither arrays nor plain containers are written with


def read(path: Path) -> Any:
    """What a pickle holds, text of Python 2 as latin1; Unusable if it is broken or tries anything else."""
    sizes.held(path, sizes.PICKLE, Unusable)
    try:
        with path.open("rb") as file:
            return Plain(file).load()
    except Unusable as error:
        raise Unusable(f"{path.name} is refused: {error}") from None
    except Exception as error:  # a damaged pickle is a program that may fail in any way
        raise Unusable(f"{path.name} is not a sound pickle: {type(error).__name__}: {error}") from None


def numbers(value: Any) -> np.ndarray:
    """An array of numbers; one NaN for anything else. Lists in lists are left alone: spread out they may be vast."""
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" else np.array(np.nan)


class Bounded:
    """A file that makes no room for more than it holds, and comes to an end."""

    def __init__(self, file):
        self.file, self.size, self.steps = file, os.fstat(file.fileno()).st_size, 0

    def read(self, count: int) -> bytes:
        self._step()
        if not 0 <= count <= self.size - self.file.tell():
            raise Unusable(f"it ends where {count} more bytes are expected")
        return self.file.read(count)

    def readline(self) -> bytes:
        self._step()
        return self.file.readline()

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise Unusable(f"it takes more than {STEPS} steps; arrays take few")


class Type:
    """The stand-in for numpy.dtype: a name and a byte order."""

    def __init__(self, name: str):
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def numbers(self) -> np.dtype:
        if not (isinstance(self.name, str) and re.fullmatch(NUMBERS, self.name) and self.order in ("<", ">", "|", "=")):
            raise Unusable("it holds an array of something else than numbers")
        return np.dtype(self.name).newbyteorder(self.order)


class Array(np.ndarray):
    """The stand-in for an array: empty until its content has been checked."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_columns, raw = state
        content = self.__dict__.pop("check")(raw, kind, shape)
        super().__setstate__((1, shape, kind.numbers(), bool(by_columns), content))


class Plain(pickle._Unpickler):  # its twin in C makes room for any number of objects that a pickle announces
    """Rebuilds arrays of numbers and plain containers."""

    def __init__(self, file):
        bounded = Bounded(file)
        super().__init__(bounded, encoding="latin1")
        self.left = 2 * bounded.size  # bytes to be made: everything once as text and once as numbers
        self.allowed = {"numpy.ndarray": _allocate, "numpy.dtype": _type, "_codecs.encode": self._encode}
        for core in CORES:
            self.allowed[f"{core}.multiarray._reconstruct"] = self._array
            self.allowed[f"{core}.numeric._frombuffer"] = self._from_buffer

    def find_class(self, module: str, name: str):
        if f"{module}.{name}" not in self.allowed:
            raise Unusable(f"it tries to call {module}.{name}; only arrays of numbers and plain containers are read")
        return self.allowed[f"{module}.{name}"]

    def _array(self, *ignored) -> Array:
        array = Array(0)
        array.check = self._content
        return array

    def _encode(self, text: str, encoding: str) -> bytes:
        """How Python 3 writes bytes for Python 2."""
        if encoding != "latin1":
            raise Unusable("it tries to call _codecs.encode for something else than latin1")
        self._spend(len(text))
        return text.encode("latin1")

    def _from_buffer(self, raw: bytes, kind: Type, shape: tuple, order: str) -> np.ndarray:
        """How protocol 5 writes arrays."""
        return np.frombuffer(self._content(raw, kind, shape), kind.numbers()).reshape(shape, order=order)

    def _content(self, raw: bytes | str, kind: Type, shape: tuple) -> bytes:
        """The bytes of an array, if they are as many as its shape says."""
        if not isinstance(raw, bytes | bytearray | str):
            raise Unusable("it holds an array of something else than numbers")
        if not (isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)):
            raise Unusable("it holds an array whose shape is not made of lengths")
        size = math.prod(shape) * kind.numbers().itemsize
        if size != len(raw):
            raise Unusable(f"it announces an array of {size} bytes and holds {len(raw)} for it")
        self._spend(size)
        return raw.encode("latin1") if isinstance(raw, str) else bytes(raw)

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Unusable("its arrays are larger than the file could hold")

    def _build(self) -> None:
        if not isinstance(self.stack[-2], Type | Array):
            raise Unusable("it tries to change something else than an array")
        self.load_build()

    def _setitem(self) -> None:
        _named(self.stack[-2:-1])
        self.load_setitem()

    def _setitems(self) -> None:
        _named(self.stack[::2])
        self.load_setitems()

    def _dict(self) -> None:
        _named(self.stack[::2])
        self.load_dict()

    def _bytearray(self) -> None:
        self.append(bytearray(self.read(*struct.unpack("<Q", self.read(8)))))

    def _needless(self) -> None:
        raise Unusable("it tries something that arrays and plain containers do not need")

    dispatch: ClassVar = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys((code[0] for code in NEEDLESS), _needless),
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _setitem,
        pickle.SETITEMS[0]: _setitems,
        pickle.DICT[0]: _dict,
        pickle.BYTEARRAY8[0]: _bytearray,
    }


def _named(keys: list) -> None:
    """Refuse keys whose hash could be made to take for ever."""
    if not all(isinstance(key, str | int) for key in keys):
        raise Unusable("it holds a container whose keys are neither text nor whole numbers")


def _allocate(*ignored):
    raise Unusable("it tries to call numpy.ndarray, which makes an array of any size")


def _type(name: str, *ignored) -> Type:
    return Type(name)


def write(path: Path, content: dict) -> None:
    """A pickle of dicts, text and arrays that appears under its name only when complete."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.writelines((pickle.PROTO, b"\x02", *_operations(content), pickle.STOP))


def _operations(content: dict | str | np.ndarray) -> Iterator[bytes]:
    """What makes the content, with the names that modules of numpy 1 have."""
    if isinstance(content, dict):
        yield pickle.EMPTY_DICT + pickle.MARK
        for name, value in content.items():
            yield from _operations(name)
            yield from _operations(value)
        yield pickle.SETITEMS
    elif isinstance(content, str):
        yield pickle.SHORT_BINSTRING + bytes([len(content)]) + content.encode("latin1")
    else:
        kind = content.dtype.str  # byte order and name
        raw = np.ascontiguousarray(content).tobytes()
        lengths = b"".join(pickle.BININT + struct.pack("<i", length) for length in content.shape)
        yield b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        yield b"(K\x01(" + lengths + b"tcnumpy\ndtype\n(U\x02" + kind[1:].encode() + b"K\x00K\x01tR"
        yield b"(K\x03U\x01" + kind[:1].encode() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        yield pickle.BINSTRING + struct.pack("<i", len(raw)) + raw + b"tb"
