"""Power: what differences between methods a run can show, learnt from populations drawn again and again.

The sampling unit is a whole population: methods are compared within each, and the differences over all of them.
"""

import numpy as np
import pandas as pd

from benchmark.comparison import correct
from benchmark.records import GEOMETRY

ASKED = 0.8  # the power that a smallest difference is told for


def quantile(confidence: float) -> float:
    """How many standard errors a two-sided normal interval reaches to either side."""
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2))


def summarise(rows: pd.DataFrame, against: list[str], confidence: float) -> dict:
    """{"methods": a row per method over the populations, "power": what one population, and all of them, can show}."""
    scores = rows.pivot(index="population", columns="method", values="score")
    names = [name for name in rows.method.unique() if name != "prevalent_only"]
    found = [{"method": "prevalent_only", "score": mean(scores.prevalent_only)}]
    for name in names:
        entry = {"method": name, "score": mean(scores[name])}
        for other in dict.fromkeys(["prevalent_only", *against]):
            if other != name and (both := (scores[name] - scores[other]).dropna()).size > 1:
                entry[f"to_{other}"] = paired(both, confidence)
        found.append(entry)
    for other in dict.fromkeys(["prevalent_only", *against]):
        correct([own[f"to_{other}"] for own in found if f"to_{other}" in own and own["method"] != "teacher"])
    measures = rows.groupby("method")[[name for name in GEOMETRY if name in rows]].mean()
    for entry in found:
        entry |= {name: float(value) for name, value in measures.loc[entry["method"]].items() if np.isfinite(value)}
    chance = {"chance": float(rows.chance.mean())} if "chance" in rows else {}  # of the mass on true pairs
    power = curves(rows, scores, names, confidence)
    return {"metric": rows.metric.dropna().iloc[0], "methods": found, "power": power} | chance


def mean(values: pd.Series) -> float | None:
    """Over the populations in which a method has a score; None where there is none."""
    return float(values.mean()) if values.notna().any() else None


def paired(differences: pd.Series, confidence: float) -> dict:
    """Mean difference over populations with its t interval, p value of the paired t test, and how many were above 0."""
    from scipy.stats import t, ttest_1samp

    values = differences.to_numpy(float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = t.ppf((1 + confidence) / 2, len(values) - 1) * error
    p = float(ttest_1samp(values, 0).pvalue) if error > 0 else 1.0
    middle = float(values.mean())
    return {"mean": middle, "low": middle - reach, "high": middle + reach, "p": p, "p_holm": None,
            "above": int((values > 0).sum()), "populations": len(values)}  # fmt: skip


def curves(rows: pd.DataFrame, scores: pd.DataFrame, names: list[str], confidence: float) -> dict:
    """Power against the size of a true difference: of one population by its subjects, of all by their spread."""
    students = [name for name in names if name != "teacher"]
    within = float(rows[rows.method.isin(students)].error.median())
    spread = float(np.nanmedian([(scores[name] - scores.prevalent_only).std(ddof=1) for name in students]))
    grid = np.linspace(0, 6 * within, 61)
    one, every = single(grid, within, confidence), several(grid, spread, len(scores), confidence)
    return {
        "difference": grid.tolist(), "one": one.tolist(), "all": every.tolist(), "populations": len(scores),
        "error_of_one": within, "spread": spread,
        "smallest": {"one": smallest(grid, one), "all": smallest(grid, every)},
    }  # fmt: skip


def single(grid: np.ndarray, error: float, confidence: float) -> np.ndarray:
    """Chance that one population's interval excludes 0, for normal differences with that standard error."""
    from scipy.stats import norm

    bound = quantile(confidence)
    return norm.sf(bound - grid / error) + norm.cdf(-bound - grid / error)


def several(grid: np.ndarray, spread: float, populations: int, confidence: float) -> np.ndarray:
    """Chance that a t test over populations, whose differences deviate by spread, rejects 0.

    The non-central t distribution, as the mean of normal tails over quantiles of the deviation that is estimated:
    the series of scipy gives no number in its lower tail.
    """
    from scipy.stats import chi2, norm, t

    freedom = populations - 1
    estimated = np.sqrt(chi2.ppf((np.arange(4000) + 0.5) / 4000, freedom) / freedom)
    bound = t.ppf((1 + confidence) / 2, freedom) * estimated
    shift = grid[:, None] * np.sqrt(populations) / spread
    return (norm.sf(bound - shift) + norm.cdf(-bound - shift)).mean(1)


def smallest(grid: np.ndarray, chance: np.ndarray) -> float | None:
    """The smallest difference on the grid that is shown with a chance of ASKED."""
    enough = np.flatnonzero(chance >= ASKED)
    return float(np.interp(ASKED, chance[: enough[0] + 1], grid[: enough[0] + 1])) if len(enough) else None
