"""Figure: differences to prevalent_only."""

from benchmark.records import compared
from benchmark.report import style
from benchmark.report.leaderboard import p_text, scored, title, told_apart
from benchmark.report.visible import intervals


def draw(records: list[dict]) -> style.Drawn:
    """Differences to prevalent_only with both intervals, filled where a model is told from it."""
    shown = style.Drawn("forest", "Differences to prevalent_only")
    own = [record for record in scored(records) if compared(record)]
    found = [record for record in own if record["difference"]["value"] is not None]
    if not found:
        why = own[0]["difference"]["reason"] if own else "no model could be compared with prevalent_only"
        return shown._replace(reason=why)
    metric, confidence = found[0]["headline"]["metric"], found[0]["evaluation"]["confidence"]
    heading = f"{title(found[0])}: difference to prevalent_only, both seeing {found[0]['headline']['condition']}"
    figure = style.canvas(9, 1.9 + 0.3 * len(found), heading)
    with style.settings():
        axes = figure.subplots()
        widths = {rope["width"] for record in found if (rope := record["difference"].get("rope"))}
        for width in sorted(widths):
            axes.axvspan(-width, width, color="0.9", linewidth=0, label=f"practically equivalent: within {width:g}")
        axes.axvline(0, color="0.4", linewidth=1)
        draw_rows(axes, found)
        axes.set_yticks(range(len(found)), [record["method"] for record in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        beside = axes.twinx()
        beside.set_ylim(axes.get_ylim())
        beside.set_yticks(range(len(found)), [words(record["difference"]) for record in found])
        beside.tick_params(length=0)
        beside.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(f"{metric}: difference to prevalent_only (right of 0: better)")
        style.tidy(axes)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    wide = any(record["difference"].get("wide") for record in found)
    thin = "Thin bars: the interval over subjects and seeds. " if wide else ""
    reading = (
        f"Marks with thick bars: the difference and its {confidence:.0%} interval over subjects, the trained networks "
        f"given. {thin}Filled marks: told from prevalent_only, the interval excludes zero and the test stands after "
        "Holm's correction over the models of the task. Right: difference, corrected p."
    )
    lost = [f"{record['method']}: {record['difference']['reason']}" for record in own if record not in found]
    return shown._replace(figure=figure, reading=" ".join([reading, *(f"Not drawn, {text}." for text in lost)]))


def draw_rows(axes, records: list[dict]) -> None:
    wide = [
        (y, r["difference"] | r["difference"]["wide"]) for y, r in enumerate(records) if r["difference"].get("wide")
    ]
    intervals(axes, wide, {"color": "0.45", "marker": "", "label": "interval over subjects and seeds"})
    for told, face, label in (
        (True, "black", "told from prevalent_only (interval, and test after Holm)"),
        (False, "white", "not told from prevalent_only"),
    ):
        found = [(y, record["difference"]) for y, record in enumerate(records) if told_apart(record) == told]
        mark = {"color": "black", "marker": "o", "markerfacecolor": face, "label": label}
        intervals(axes, found, mark | {"linewidth": 2.2, "capsize": 0})


def words(difference: dict) -> str:
    p = difference["p_holm"]
    return f"{difference['value']:+.3f}, {'no test' if p is None else p_text(p)}"
