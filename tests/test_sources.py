"""Real, synthetic, or an error that shows what was expected."""

import pytest
from test_biovid import write_tree

from benchmark.datasets import biovid
from benchmark.reading import sources
from benchmark.types import WrongTree


def real(root, source="auto"):
    return sources.real("biovid", source, root, biovid, biovid.Options())


@pytest.fixture
def root(tmp_path):
    (tmp_path / "README.md").write_text("how to obtain it")
    return tmp_path


def test_the_owners_tree_is_used_when_it_is_there(root):
    write_tree(root)
    assert len(real(root).clips) == len(real(root, "real").clips) == 4
    assert real(root, "synthetic") is None


def test_with_only_the_readme_recordings_are_synthesised(root):
    assert real(root) is None


def test_an_unknown_tree_stops_with_what_was_expected_and_found(root):
    (root / "downloads" / "biovid.zip").mkdir(parents=True)
    with pytest.raises(WrongTree) as error:
        real(root)
    text = str(error.value)
    assert "starting_point/samples.csv" in text and "downloads/" in text and "biovid.zip" in text
    assert "data/raw/biovid/README.md" in text and "datasets.biovid.source" in text


def test_half_a_tree_is_never_replaced_by_synthetic_recordings(root):
    part = write_tree(root)
    (part / "starting_point" / "samples.csv").unlink()
    with pytest.raises(WrongTree, match=r"not found: samples\.csv"):
        real(root)


def test_real_never_falls_back(root):
    with pytest.raises(WrongTree, match="nothing but the README"):
        real(root, "real")
