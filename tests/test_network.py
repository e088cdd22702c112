"""What shows that a run needs no network: namespaces without one, and a guard that writes down who asks for it."""

import errno
import subprocess
import sys

import pytest
from clones import ALONE, GUARD, no_namespace

CALL = """
import socket
with socket.socket() as out:
    print(out.connect_ex(("192.0.2.1", 9)))
"""


def test_a_namespace_has_no_way_out():
    if why := no_namespace():
        pytest.skip(why)
    done = subprocess.run([*ALONE, sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
    assert int(done.stdout) == errno.ENETUNREACH


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("socket.socket().connect(('192.0.2.1', 9))", "socket.connect ('192.0.2.1', 9)"),
        ("socket.getaddrinfo('nowhere.invalid', 80)", "socket.getaddrinfo ('nowhere.invalid', 80"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "socket.sendto ('192.0.2.1', 9)"),
        ("socket.socket().bind(('0.0.0.0', 0))", "socket.bind ('0.0.0.0', 0)"),
        ("socket.socket().bind(('127.0.0.1', 0))", None),
        ("socket.getaddrinfo('localhost', 80)", None),
    ],
)
def test_who_asks_is_written_down(does, told, tmp_path):
    asked = tmp_path / "addresses"
    code = f"import socket; socket.setdefaulttimeout(0.01)\ntry: {does}\nexcept OSError: pass"
    said = {"PYTHONPATH": str(GUARD), "ADDRESSES": str(asked)}
    subprocess.run([sys.executable, "-c", code], env=said, check=True)
    assert (told in asked.read_text()) if told else not asked.exists()
