"""Figures: scores over missing rates, and losses over epochs."""

import numpy as np
import pandas as pd

from benchmark.report import style
from benchmark.report.leaderboard import missing_curve, scored, title
from benchmark.types import SLOPE

PROTOCOLS = {"random": "all modalities, at random", "wild": "prevalent ones at random, privileged absent"}


def missing(records: list[dict]) -> style.Drawn:
    """Headline score over the share of hidden modalities, a panel for each model."""
    shown = style.Drawn("missing", "Scores as modalities go missing")
    own = [record for record in scored(records) if any(len(missing_curve(record, p)) > 1 for p in PROTOCOLS)]
    if not own:
        return shown._replace(reason="no model of this task was scored at more than one missing rate")
    metric, confidence = own[0]["headline"]["metric"], own[0]["evaluation"]["confidence"]
    heading = f"{title(own[0])}: {metric} as modalities go missing"
    figure, grid = style.panels(len(own), 4, (2.45, 1.85), heading, sharex=True, sharey=True)
    shown_again = "wild" if any(len(missing_curve(record, "wild")) > 1 for record in own) else "random"
    baseline = next((record for record in own if record["method"] == "prevalent_only"), None)
    with style.settings():
        for number, (axes, record) in enumerate(zip(grid, own, strict=True)):
            if baseline and record is not baseline:
                x, y = rates(missing_curve(baseline, shown_again))[:2]
                label = f"prevalent_only: {PROTOCOLS[shown_again]}"
                axes.plot(x, y, color="0.35", linestyle=":", linewidth=1.4, label=label)
            for place, (protocol, words) in enumerate(PROTOCOLS.items()):
                draw_curve(axes, missing_curve(record, protocol), place, words)
            axes.set_title(record["method"], pad=3)
            axes.set_ylabel(metric if number % 4 == 0 else "")
            style.tidy(axes)
            axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
            if number in style.below(len(own), 4):
                axes.set_xlabel("hidden")
                axes.tick_params(labelbottom=True)
        handles, labels = grid[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    reading = (
        f"Left end: nothing more is hidden. Bands: {confidence:.0%} intervals over subjects. Dotted, in every "
        "panel: prevalent_only. A point is missing where the table gives a reason; a line, where only one rate applies."
    )
    return shown._replace(figure=figure, reading=reading)


def rates(curve: list[tuple[float, dict]]) -> tuple[np.ndarray, ...]:
    """Rate, value, low and high of a curve; NaN where there is none, which is not drawn."""
    columns = [[score.get(name) for _, score in curve] for name in ("value", "low", "high")]
    return np.array([rate for rate, _ in curve]), *(np.array(column, dtype=float) for column in columns)


def draw_curve(axes, curve: list[tuple[float, dict]], number: int, label: str) -> None:
    if len(curve) < 2:
        return
    x, value, low, high = rates(curve)
    axes.fill_between(x, low, high, color=style.COLOURS[number], alpha=0.2, linewidth=0)
    axes.plot(x, value, markersize=3.5, linewidth=1.2, label=label, **style.line(number))


def training(records: list[dict], curves: dict[str, pd.DataFrame]) -> style.Drawn:
    """Loss terms and validation score over epochs, a panel for each model that was trained."""
    shown = style.Drawn("training", "Training curves")
    order = [record["method"] for record in records]
    found = {name: losses(curves[name]) for name in order if name in curves and len(curves[name])}
    if not found:
        return shown._replace(reason="no epoch curves lie beside the models: run `dvc repro distill`")
    known = [record for record in records if "provenance" in record]
    heading = f"{title(known[0]) if known else 'unreadable records'}: loss terms and validation score by epoch"
    figure, grid = style.panels(len(found), 4, (2.45, 1.9), heading, sharex=True, sharey=True)
    terms = sorted({term for table in found.values() for term in table.term} - {"validation", "task"})
    styles = {term: style.line(number) for number, term in enumerate(["validation", "task", *terms])}
    with style.settings():
        for number, (axes, (name, table)) in enumerate(zip(grid, found.items(), strict=True)):
            for term, rows in table.groupby("term"):
                draw_term(axes, rows, styles[term])
            axes.set_title(name, pad=3)
            axes.set_ylabel("" if number % 4 else "share of the largest")
            style.tidy(axes)
            axes.set_ylim(-0.03, 1.12)
            if number in style.below(len(found), 4):
                axes.set_xlabel("epoch")
                axes.tick_params(labelbottom=True)
        handles = [
            axes.plot([], [], markersize=4, linewidth=1.2, label=term, **look)[0] for term, look in styles.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7), frameon=False)
    reading = (
        "Mean over folds and seeds; the band spans the middle half of them. Each loss term is divided by its largest "
        "mean, so that all fit one axis; the validation score is as measured. The epoch with the best validation score "
        "is kept. The table of geometry gives raw values."
    )
    gone = [f"{name}" for name in order if name not in found and name not in ("availability", "teacher_hallucinated")]
    return shown._replace(figure=figure, reading=reading + (f" No curves: {style.several(gone)}." if gone else ""))


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """Without the gradient norms, of which the learning index is made."""
    return table[~table.term.str.startswith(SLOPE)]


def draw_term(axes, rows: pd.DataFrame, look: dict) -> None:
    """Mean and middle half over replicas of one term, by epoch."""
    wide = rows.pivot_table(index="epoch", columns=["fold", "seed"], values="value").replace([np.inf, -np.inf], np.nan)
    mean = wide.mean(axis=1)
    top = 1.0 if rows.term.iloc[0] == "validation" else mean.abs().max()
    if not np.isfinite(top) or top == 0:
        return
    low, high = (wide.quantile(q, axis=1) / top for q in (0.25, 0.75))
    axes.fill_between(wide.index, low, high, color=look["color"], alpha=0.18, linewidth=0)
    axes.plot(wide.index, mean / top, markersize=3, markevery=5, linewidth=1.1, **look)
