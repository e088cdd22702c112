"""Whether a database can be used, in words and at once: MLflow itself tries for minutes."""

import socket
import sqlite3
from pathlib import Path

from sqlalchemy import make_url

PATIENCE = 20.0  # seconds that another program may hold the database
AGAIN = "It only mirrors results/records: move it away and it is made again"


def check_file(path: Path) -> None:
    """OSError, in words, unless a database in a file can be written."""
    try:
        with sqlite3.connect(path, timeout=PATIENCE) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("PRAGMA user_version = 0")  # a write, unlike the line above, of what nobody uses
            database.execute("ROLLBACK")
        database.close()
    except sqlite3.Error as error:
        again = AGAIN.replace("it away", f"{path} away")
        if "locked" in str(error):
            again = "Another program is writing to it: wait, or end that program"
        elif not path.is_dir() and ("readonly" in str(error) or "unable to open" in str(error)):
            again = f"Give yourself the right to write to {path} and its folder"
        raise OSError(f"{error}. {again}") from None


def check_host(uri: str) -> None:
    """OSError where the host of a database, spoken to without a server between, does not answer."""
    url = make_url(uri)
    ports = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
    if url.host and (port := url.port or ports.get(url.get_backend_name())):
        socket.create_connection((url.host, port), timeout=10).close()
