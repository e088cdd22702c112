"""Licences of what is installed: all told, and explained where they ask for more than their own text."""

import re

import pytest

from benchmark import licences


def table() -> dict[str, tuple[str, str, str]]:
    """Package -> version, licence, remark."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in licences.PAGE.read_text().splitlines()]
    return {cells[0]: tuple(cells[1:]) for cells in rows if len(cells) == 4 and cells[0] not in ("package", "---")}


def test_every_package_of_the_lock_is_listed_with_its_version_and_a_licence():
    found, lock = table(), licences.LOCK.read_text()
    assert set(found) == set(licences.installed()) and len(found) > 100
    for name, (version, said, _) in found.items():
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)}( ;|$)", lock, re.M), name
        assert said, name


def test_what_is_not_free_or_holds_what_is_not_is_explained():
    found = table()
    assert [name for name, (_, said, remark) in found.items() if not (licences.free(said) or remark)] == []
    assert set(licences.EXPLAINED) <= set(found) and set(licences.BY_FILE) <= set(found)


def test_the_page_is_of_what_is_installed():
    assert licences.PAGE.read_text() == licences.page(), "run python -m benchmark.licences"


def test_a_licence_that_nobody_has_explained_stops_the_page(monkeypatch):
    monkeypatch.delitem(licences.EXPLAINED, "tqdm")
    with pytest.raises(ValueError, match=r"why these licences will do: tqdm \(MPL-2.0 AND MIT\)"):
        licences.page()


@pytest.mark.parametrize(
    ("said", "free"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-2.0-or-later", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", False),
        ("MIT AND GPL-2.0", False),
        ("", False),
    ],
)
def test_of_alternatives_one_is_enough_and_of_parts_all_are_needed(said, free):
    assert licences.free(said) == free
