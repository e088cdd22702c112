"""Pickles of other people are data: whatever they try, they are read as arrays and containers, or refused."""

import os
import pickle
import pickletools
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.reading import pickles
from benchmark.types import Unusable

CONTENT = {
    "subject": "S2",
    "label": np.arange(40, dtype=np.int32),
    "signal": {"chest": {"ACC": np.arange(12.0).reshape(4, 3), "Temp": np.arange(5, dtype=np.float32)[:, None]}},
}
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return np.array_equal(one, other) and getattr(one, "dtype", None) == getattr(other, "dtype", None)


def saved(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "S2.pkl"
    path.write_bytes(content)
    return path


def refused(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(Unusable) as caught:
        pickles.read(saved(tmp_path, content))
    assert "S2.pkl" in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


class Calls:
    def __init__(self, *called):
        self.called = called

    def __reduce__(self):
        return self.called


def test_what_is_written_is_read_by_this_reader_and_by_python(tmp_path):
    path = tmp_path / "S2.pkl"
    pickles.write(path, CONTENT)
    assert same(pickles.read(path), CONTENT)
    with path.open("rb") as file:
        assert same(pickle.Unpickler(file, encoding="latin1").load(), CONTENT)
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert not {op.name for op, *_ in pickletools.genops(path.read_bytes())} & {"BINBYTES", "BINUNICODE"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["S2.pkl"]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one.pkl", "other.pkl"):
        pickles.write(tmp_path / name, CONTENT)
    assert (tmp_path / "one.pkl").read_bytes() == (tmp_path / "other.pkl").read_bytes()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("by_columns", [False, True])
def test_arrays_of_every_protocol_are_read(tmp_path, protocol, by_columns):
    matrix = np.arange(12.0).reshape(4, 3)
    content = CONTENT | {
        "more": [1, 2.5, None, True, ("a", b"b")],
        "m": np.asfortranarray(matrix) if by_columns else matrix,
    }
    found = pickles.read(saved(tmp_path, pickle.dumps(content, protocol)))
    assert found["more"] == content["more"] and same(found["m"], matrix) and same(found["signal"], CONTENT["signal"])


def test_older_and_newer_names_of_numpy_and_other_byte_orders_are_read(tmp_path):
    content = pickle.dumps(np.arange(5, dtype=">f4"), 2)
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        found = pickles.read(saved(tmp_path, content.replace(b"numpy._core.multiarray", name)))
        assert np.array_equal(found, np.arange(5))


def text(value) -> bytes:
    """Protocol 0, the default of Python 2: content of arrays as escaped text, about 3.4 times as long."""
    if isinstance(value, dict):
        return b"(d" + b"".join(text(name) + text(part) + b"s" for name, part in value.items())
    if isinstance(value, str | bytes):
        return b"S" + repr(value.encode() if isinstance(value, str) else value)[1:].encode() + b"\n"
    lengths = b"".join(b"I%d\n" % length for length in value.shape)
    kind = b"cnumpy\ndtype\n(" + text(value.dtype.str[1:]) + b"I0\nI1\ntR(I3\n" + text("<") + b"NNNI-1\nI-1\nI0\ntb"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt" + text("b") + b"tR"
    return made + b"(I1\n(" + lengths + b"t" + kind + b"I00\n" + text(value.tobytes()) + b"tb"


def test_the_text_form_that_python_2_writes_unless_told_otherwise_is_read(tmp_path):
    content = CONTENT | {"quotes": np.frombuffer(b"'\"\\\n\r\t\0\xff", np.uint8)}
    path = saved(tmp_path, text(content) + b".")
    assert same(pickles.read(path), content)
    with path.open("rb") as file:
        assert same(pickle.Unpickler(file, encoding="latin1").load(), content)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("posix.system", (os.system, ("touch owned",))),
        ("builtins.eval", (eval, ("open('owned', 'w')",))),
        ("builtins.getattr", (getattr, (Path("owned"), "touch"))),
        ("numpy.load", (np.load, ("owned.npy",))),
        ("numpy.fromfile", (np.fromfile, ("/etc/hostname",))),
    ],
)
def test_whatever_a_pickle_calls_is_named_and_not_called(tmp_path, monkeypatch, name, called, protocol):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"label": Calls(*called)}, protocol).replace(b"__builtin__", b"builtins")
    assert f"tries to call {name}" in refused(tmp_path, content)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("reason", "content"),
    {
        "a chain of attributes": ("numpy.dtype.__init__", b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93."),
        "an old instance": ("do not need", b"(S'touch owned'\nios\nsystem\n."),
        "a persistent object": ("do not need", b"Powned\n."),
        "a registered extension": ("do not need", b"\x82\x01."),
        "a function with new defaults": ("tries to change", b"c_codecs\nencode\nN}U\x0c__defaults__)s\x86b."),
        "a container changed": ("tries to change", b"\x80\x02}}U\x01aK\x01sb."),
        "another encoding": ("latin1", b"c_codecs\nencode\n(U\x01aU\x09punycodestR."),
        "an array of objects": ("than numbers", pickle.dumps(np.array([{"a": 1}], object), 2)),
        "an array of records": ("than numbers", pickle.dumps(np.zeros(2, [("a", "f8"), ("b", "f8")]), 2)),
        "an array of dates": ("than numbers", pickle.dumps(np.zeros(2, "M8[s]"), 2)),
        "a list as a key": ("keys", b"\x80\x02}]K\x01s."),
        "a tuple as a key": ("keys", b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s."),
        "nothing": ("more bytes are expected", b""),
        "text": ("not a sound pickle", b"label;state\n1;2\n"),
    }.values(),
)
def test_other_programs_are_refused(tmp_path, monkeypatch, reason, content):
    monkeypatch.chdir(tmp_path)
    assert reason in refused(tmp_path, content)
    assert not (tmp_path / "owned").exists()


def test_nothing_a_pickle_does_lasts(tmp_path):
    refused(tmp_path, b"\x80\x02c_codecs\nencode\nN}U\x0c__defaults__(U\x01aU\x01bts\x86b.")
    refused(tmp_path, ARRAY + b"(K\x01K\x01\x85NK\x00U\x01atb.")
    test_what_is_written_is_read_by_this_reader_and_by_python(tmp_path)


def bombs() -> dict[str, bytes]:
    eight = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR"
    long, again = b"T" + struct.pack("<i", 80_000) + bytes(80_000) + b"q\x01", b"h\x01"
    one = ARRAY + b"(K\x01(M\x10't" + eight + b"K\x00%stb"
    return {
        "ndarray called": b"cnumpy\nndarray\n(\x8a\x05\x00\x00\x00\x00\x10\x85tR.",
        "a shape without content": ARRAY + b"(K\x01(J\xff\xff\xff\x7ft" + eight + b"K\x00U\x01atb.",
        "a shape that overflows": ARRAY + b"(K\x01(" + b"J\xff\xff\xff\x7f" * 4 + b"K\x00t" + eight + b"K\x00U\x01atb.",
        "a shape that multiplies a tuple": ARRAY + b"(K\x01((K\x00tJ\xff\xff\xff\x7ft" + eight + b"K\x00U\x01atb.",
        "one content for many arrays": b"\x80\x02](" + one % long + one % again * 50_000 + b"e.",
        "one text encoded often": b"\x80\x02](" + long + b"c_codecs\nencode\n(h\x01U\x06latin1tR" * 50_000 + b"e.",
        "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"a.",
        "a long array of bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"a.",
        "a long frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"a.",
        "negative bytes": b"T\xff\xff\xff\xffa.",
        "many places for objects": b"\x80\x02}r\xff\xff\xff\xff",
    }  # fmt: skip


@pytest.mark.parametrize("name", bombs())
def test_no_pickle_takes_more_memory_than_its_size_accounts_for(tmp_path, name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path, bombs()[name])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kB"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_pickle_is_read_or_refused(tmp_path, data):
    protocol = data.draw(st.sampled_from(["text", 0, 2, 4, 5]))
    whole = text(CONTENT) + b"." if protocol == "text" else pickle.dumps(CONTENT, protocol)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    damaged = whole[:at] if cut else whole[:at] + data.draw(st.binary(min_size=1, max_size=4)) + whole[at + 1 :]
    try:
        pickles.read(saved(tmp_path, damaged))
    except Unusable as error:
        assert "S2.pkl" in str(error)


def test_a_program_of_more_steps_than_arrays_take_is_stopped(tmp_path):
    assert "more than 1000000 steps" in refused(tmp_path, b"\x80\x02" + b"]" * 2_000_000)
    assert "more than 1000000 steps" in refused(tmp_path, b"I1\n" * 1_000_000)


def test_what_is_no_array_of_numbers_is_one_that_is_none():
    nested = [1]
    for _ in range(40):
        nested = [nested] * 40
    for value in (nested, "1", None, {}, np.array(["a"]), np.array([None])):
        assert np.isnan(pickles.numbers(value)) and pickles.numbers(value).shape == ()
    assert pickles.numbers(np.arange(3)).tolist() == [0, 1, 2]
