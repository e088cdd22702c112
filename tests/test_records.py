"""Records: p values corrected for all the models of a task, and what happens to a file that is none."""

import json

import pytest

from benchmark import records


def entry(method: str, p: float | None) -> dict:
    return {"method": method, "difference": {"p": p, "p_holm": None}}


def test_p_values_are_corrected_for_the_models_compared_and_no_others():
    found = [
        entry("teacher", 0.001), entry("teacher_hallucinated", 0.03), entry("prevalent_only", 1.0), entry("kd", 0.01),
        entry("kdot", 0.2), entry("pknot", None), entry("availability", 0.001), {"method": "clean_labels"},
    ]  # fmt: skip
    records.adjust(found)
    adjusted = {own["method"]: own["difference"]["p_holm"] for own in found if "difference" in own}
    assert adjusted == {
        "teacher": None, "teacher_hallucinated": pytest.approx(0.06), "prevalent_only": None,
        "kd": pytest.approx(0.03), "kdot": pytest.approx(0.2), "pknot": None, "availability": None,
    }  # fmt: skip


def test_a_task_without_any_p_value_is_left_as_it_is():
    records.adjust(found := [entry("kd", None), entry("prevalent_only", 1.0)])
    assert [own["difference"]["p_holm"] for own in found] == [None, None]


@pytest.fixture
def folder(tmp_path):
    """Records of three methods: a whole one, a half-written one, and one of another version."""
    (tmp_path / "level").mkdir()
    whole = {"version": records.VERSION} | dict.fromkeys((*records.COMMON, *records.OWN), "x")
    whole |= {"method": "kd", "status": "ok"}
    part = {name: value for name, value in whole.items() if name != "conditions"}
    texts = {"kd": json.dumps(whole), "kdot": json.dumps(whole)[:40], "pknot": json.dumps(whole | {"version": 1})}
    texts["crd"] = json.dumps(part)
    for name, text in texts.items():
        (tmp_path / "level" / f"{name}.json").write_text(text)
    return tmp_path


def test_a_record_that_cannot_be_read_is_a_row_with_a_reason(folder):
    found = records.load(folder, ["level"], ["kd", "kdot", "pknot", "crd", "sp"])
    told = {method: (own["status"], own.get("reason", "")) for (_, method), own in found.items()}
    assert told["kd"] == ("ok", "")
    assert told["kdot"][0] == "unreadable" and "kdot.json is not a whole record; run `dvc repro" in told["kdot"][1]
    assert told["pknot"][0] == "unreadable" and "is a record of version 1, this is version 2" in told["pknot"][1]
    assert told["crd"][1].endswith("crd.json lacks conditions; run `dvc repro -f evaluate`")
    assert "sp.json is missing; run `dvc repro" in told["sp"][1]
    assert found["level", "kdot"]["conditions"] == {} and found["level", "kdot"]["dataset"] == "x"


def test_a_task_without_any_record_is_an_error(folder):
    with pytest.raises(ValueError, match="no other of its records can be read"):
        records.load(folder, ["level"], ["kdot", "pknot"])
