"""The tables of a task: what page, paper and leaderboard show, before any of their formats."""

from typing import NamedTuple

from benchmark.records import CONTROLS, GEOMETRY
from benchmark.report.leaderboard import (
    condition_names,
    entry_of,
    missing_curve,
    named,
    p_text,
    score_of,
    scored,
    shown_condition,
    told_apart,
    with_interval,
)
from benchmark.robustness import EXPLAINED


class Cell(NamedTuple):
    """Text of a table; strong where a difference is told from chance, why: what stands below an empty one."""

    text: str
    strong: bool = False
    why: str | None = None


def spanning(row: list[Cell]) -> bool:
    """Whether a row says one thing, in its second cell, in the place of all its values."""
    return len(row) > 2 and bool(row[1].why) and not any(cell.text for cell in row[2:])


class Table(NamedTuple):
    """Cells by row; the first of each row names it."""

    name: str  # of its files
    title: str
    head: list[str]
    rows: list[list[Cell]]
    note: str = ""


def of_task(records: list[dict]) -> list[Table]:
    """All tables of one task that have rows."""
    made = (
        headline(records),
        differences(records),
        subsets(records),
        missing(records),
        robustness(records),
        geometry(records),
    )
    return [table for table in made if table.rows]


def unscored(record: dict, columns: int) -> list[Cell]:
    """The row of a model without scores: its status and reason, then nothing."""
    told = f"{record['status']}: {record['reason']}"
    return [Cell(record["method"]), Cell(told, why=told), *[Cell("")] * (columns - 2)]


def scored_cell(score: dict, signed: bool = False) -> Cell:
    return Cell(with_interval(score, signed), why=score.get("reason") if score["value"] is None else None)


def headline(records: list[dict]) -> Table:
    """Every model in the headline condition, and why there is no score where there is none."""
    ok = scored(records)
    metric = ok[0]["headline"]["metric"] if ok else "score"
    scores = ok[0]["conditions"][ok[0]["headline"]["condition"]].get("scores", {}) if ok else {}
    others = [name for name in scores if name != metric]
    head = ["method", metric, "difference to prevalent_only", "gap recovered", *others]
    rows = []
    for record in records:
        if record["status"] != "ok":
            rows.append(unscored(record, len(head)))
            continue
        baseline, shown = record["method"] in ("prevalent_only", "teacher"), shown_condition(record)
        gap = not baseline and record["method"] not in CONTROLS and "gap_recovered" in record
        rows.append([
            Cell(named(record)),
            scored_cell(score_of(record, shown)),
            Cell("") if baseline or "difference" not in record else difference(record),
            scored_cell(record["gap_recovered"]) if gap else Cell(""),
            *(plain(score_of(record, shown, name)) for name in others),
        ])  # fmt: skip
    return Table("headline", "Where privileged modalities are absent", head, rows)


def plain(score: dict) -> Cell:
    text = "undefined" if score["value"] is None else f"{score['value']:.3f}"
    return Cell(text.replace("-0.000", "0.000"), why=score.get("reason"))


def difference(record: dict) -> Cell:
    """Difference to prevalent_only with interval and p; strong where they tell the two apart."""
    found = record["difference"]
    text = with_interval(found, signed=True)
    if found["p"] is not None:
        text += f", {p_text(found['p'])}"
    return Cell(text, told_apart(record), found["reason"] if found["value"] is None else None)


def differences(records: list[dict]) -> Table:
    """How the differences to prevalent_only were tested, and how large they are."""
    own = [record for record in scored(records) if "difference" in record and record["method"] != "prevalent_only"]
    head = ["method", "difference", "over subjects and seeds", "effect", "p", "p after Holm", "test", "p, pooled"]
    head += ["p, folds", "worse", "equivalent", "better"]
    rows, widths = [], set()
    for record in own:
        found = record["difference"]
        wide, rope = found.get("wide") or {}, found.get("rope") or {}
        widths |= {rope["width"]} if "width" in rope else set()
        bounds = f"[{wide['low']:+.3f}, {wide['high']:+.3f}]" if wide.get("low") is not None else "no interval"
        effect = "none" if found.get("effect") is None else f"{found['effect']:+.2f}"
        told = [found["p"], found["p_holm"], found.get("p_pooled"), (found.get("folds") or {}).get("p")]
        p, holm, pooled, folds = ("none" if value is None else p_text(value)[2:] for value in told)
        shares = [f"{rope[name]:.0%}" if name in rope else "" for name in ("worse", "equivalent", "better")]
        rows.append([
            Cell(record["method"]),
            Cell(with_interval(found, signed=True), told_apart(record), found["reason"]),
            Cell(bounds, why=wide.get("reason")),
            *map(Cell, [effect, p, holm, found.get("test") or "no test", pooled, folds, *shares]),
        ])  # fmt: skip
    note = (
        "Effect: mean over deviation of the subjects' differences. p, pooled: permutation of the pooled difference. p, "
        "folds: corrected resampled t test over folds (Nadeau and Bengio). "
    )
    if widths:
        within = " or ".join(f"{width:g}" for width in sorted(widths))
        note += (
            f"Worse, equivalent, better: how likely the middle of the subjects' own differences lies below, within or "
            f"above ±{within} (Bayesian signed-rank)."
        )
    return Table("differences", "Differences to prevalent_only", head, rows, note)


def subsets(records: list[dict]) -> Table:
    """The headline metric under every subset of the modalities."""
    ok = [record for record in scored(records) if record["method"] not in CONTROLS]
    names = [n for n in condition_names(ok) if entry_of(ok, n)["protocol"] == "subset"]
    return by_condition(ok, "subsets", "When only these modalities are visible", names, with_interval)


def by_condition(records: list[dict], name: str, heading: str, conditions: list[str], words) -> Table:
    """A column for each condition, with what words makes of its score."""
    rows = []
    metric = records[0]["headline"]["metric"] if records else "score"
    for record in records:
        cells = [Cell(record["method"])]
        for condition in conditions:
            score = score_of(record, condition)
            hidden = "scores" not in record["conditions"].get(condition, {})
            text = "nothing to see" if hidden else words(score)
            cells.append(Cell(text, why=score.get("reason") if score["value"] is None else None))
        rows.append(cells)
    return Table(
        name, heading, [f"{metric} when visible:" if name == "subsets" else f"{metric} under", *conditions], rows
    )


def missing(records: list[dict]) -> Table:
    """The headline metric as more is hidden, and on less than whole input: rates as columns, values alone."""
    ok = [record for record in scored(records) if record["method"] not in CONTROLS]
    names = [n for n in condition_names(ok) if entry_of(ok, n)["protocol"] != "subset"]
    if not names:
        return Table("missing", "", [], [])
    table = by_condition(ok, "missing", "As modalities go missing", names, lambda s: plain(s).text)
    baseline = next((record["conditions"] for record in ok if record["method"] == "prevalent_only"), {})
    answered = [(name, baseline.get(name, {}).get("answered")) for name in names]
    unseen = [f"{name} {share:.0%}" for name, share in answered if share is not None and share < 1]
    note = f"Clips of which prevalent_only saw anything, where not all: {', '.join(unseen)}; the others it answers "
    note = f"{note}without input, and they count. " if unseen else ""
    return table._replace(note=f"{note}Values without intervals; the figure has them.")


def robustness(records: list[dict]) -> Table:
    """Summaries of the curves over missing rates."""
    own = [record for record in scored(records) if record.get("robustness")]
    head = ["method", *(name.replace("_", " ") for name in EXPLAINED), "at the highest rates"]
    rows = []
    for record in own:
        found = [record["robustness"].get(name, {"value": None, "reason": "not computed"}) for name in EXPLAINED]
        rows.append([Cell(record["method"]), *map(plain, found), Cell(highest(record))])
    note = "; ".join(f"`{name.replace('_', ' ')}`: {words}" for name, words in EXPLAINED.items()) + "."
    return Table("robustness", "Robustness", head, rows, note)


def highest(record: dict) -> str:
    """Scores at the highest rate of each protocol."""
    ends = {protocol: missing_curve(record, protocol)[-1:] for protocol in ("random", "wild")}
    return ", ".join(
        f"{name} {end[0][0]:.0%}: {end[0][1]['value']:.3f}" for name, end in ends.items() if end and end[0][0]
    )


def geometry(records: list[dict]) -> Table:
    """How alike students and teachers are on test clips, and how large each loss term was."""
    ok = [record for record in scored(records) if record.get("geometry")]
    chance = ok[0]["geometry"]["chance"] if ok else 0
    head = ["geometry of z", "CKA with teacher", "Frobenius distance", f"mass on true pairs (chance {chance:.3f})"]
    head += ["terms: weight x raw value in the first and in the last epoch", "weights tried"]
    rows = []
    for record in ok:
        measures = [f"{record['geometry'][name]:.3f}" for name in GEOMETRY]
        rows.append([*map(Cell, [record["method"], *measures, terms(record), str(len(record["tuning"]["tried"]))])])
    return Table("geometry", "Geometry and loss terms", head, rows)


def terms(record: dict) -> str:
    """A method's loss terms: weight, from the smallest to the largest that a fold chose, and the unweighted value in
    the first and last epoch, mean over replicas."""
    told, factors = [], [entry["factor"] for entry in record["tuning"]["chosen"]] or [1.0]
    for name, options in record["options"]["terms"].items():
        first, last = (record["raw"][name][end] for end in ("first", "last"))
        values = "not finite" if first is None or last is None else f"{first:.3g} to {last:.3g}"
        weights = dict.fromkeys(f"{options['weight'] * factor:g}" for factor in (min(factors), max(factors)))
        told.append(f"{name} {' to '.join(weights)} x {values}")
    return ", ".join(told)


def reasons(table: Table) -> dict[str, dict[str, list[str]]]:
    """Reason -> column -> the rows whose cell lacks a value, or its interval, for this reason."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in table.rows:
        for column, cell in zip(table.head, row, strict=True):
            if cell.why and cell.why not in cell.text:
                found.setdefault(cell.why, {}).setdefault(column, []).append(row[0].text)
    return found
