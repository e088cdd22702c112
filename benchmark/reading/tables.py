"""Text tables of other people: read as they are, refused in one sentence."""

import csv
import re
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.reading import sizes

SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon"}
EXPONENT = r"(?<=[0-9.][eE])[-+]?[0-9]{4,}"
VAST = "[eE]" + EXPONENT  # such exponents pandas makes wrong numbers of, or ends the process at


def text(path: Path, separator: str, columns: tuple[str, ...], complaint: type[Exception], **how) -> pd.DataFrame:
    """The table with every value as text, without blanks around names and values; at least the given columns.

    complaint: the exception that a file is refused with; its text names file and reason. how: more for pandas.
    """
    sizes.held(path, sizes.TEXT, complaint)
    table = parsed(path, separator, "text", complaint, dtype=str, keep_default_na=False, **how)
    require(table, path, columns, complaint)
    return table.apply(lambda column: column.str.strip())


def numbers(path: Path, separator: str, columns: tuple[str, ...], complaint: type[Exception], **how) -> pd.DataFrame:
    """The table as float64, at least the given columns; a missing value is NaN, one that is no number is refused."""
    try:
        content = sizes.held(path, sizes.TABLE, complaint).read_bytes()
    except OSError as error:
        raise complaint(f"{path.name} cannot be read: {error.strerror}") from None
    for letter in "eE":  # either by itself is found several times faster
        if vast := re.search((letter + EXPONENT).encode(), content):
            raise complaint(f"{path.name} holds a number with the exponent {vast[0].decode()}")
    table = parsed(path, separator, "numbers", complaint, dtype=np.float64, na_values=["NaN", "nan", ""], **how)
    require(table, path, columns, complaint)
    return table


def values(column: pd.Series) -> pd.Series:
    """The numbers in a column of texts; NaN where there is none."""
    return pd.to_numeric(column.mask(column.str.contains(VAST)), errors="coerce").astype(float)


def header(path: Path, separator: str) -> list[str]:
    """The names in the first line, as they stand there: pandas would number those that stand there twice."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = iter(partial(file.readline, sizes.MB), "")
        return [name.strip() for name in next(csv.reader(lines, delimiter=separator), [])]


def parsed(path: Path, separator: str, what: str, complaint: type[Exception], **how) -> pd.DataFrame:
    """What pandas makes of the file, refused where it would guess or leave values out."""
    try:
        names = Counter(header(path, separator))
        if names.total() > sizes.COLUMNS:
            raise ValueError(f"it has more than {sizes.COLUMNS} columns")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, sep=separator, encoding="utf-8-sig", index_col=False, **how)
    except pd.errors.ParserWarning:
        raise complaint(f"{path.name} has lines with more values than its header has names") from None
    except (ValueError, UnicodeError, OSError, csv.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise complaint(f"{path.name} cannot be read as {SEPARATORS[separator]}-separated {what}: {reason}") from None
    if twice := [name for name in names if name and names[name] > 1]:
        raise complaint(f"{path.name} has the column {twice[0]} twice")
    table.columns = table.columns.astype(str).str.strip()
    return table


def require(table: pd.DataFrame, path: Path, columns: tuple[str, ...], complaint: type[Exception]) -> None:
    if absent := [name for name in columns if name not in table]:
        there = ", ".join(map(str, table.columns))
        raise complaint(f"{path.name} has no column {', '.join(absent)}; it has: {there}")


def refuse(path: Path, table: pd.DataFrame, wrong: pd.Series, what: str, complaint: type[Exception]) -> None:
    """The complaint about the first wrong line of a table, if there is one; what: `a level that is not 0 to 4`."""
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0])
        start = ", ".join(table.iloc[line].astype(str).head(8))
        raise complaint(f"{path.name} line {line + 2} has {what}: {start}")
