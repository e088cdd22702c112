"""The statistics of this suite on simulated people whose true scores are known: coverage and false positives.

How an interval is made was chosen on other random numbers than those drawn here.
"""

from collections.abc import Iterator

import numpy as np

from benchmark import intervals
from benchmark.comparison import RANKED, nadeau_bengio, paired
from benchmark.intervals import jackknife, left_out, limits, over_seeds
from benchmark.progress import progress
from benchmark.seeds import generator
from benchmark.stats import pooled
from benchmark.validation import bootstraps, crowds
from benchmark.validation.page import Section

CONFIDENCE, COVERED, FALSE = 0.95, (93, 97), (0, 6)  # in %: what coverage and false positives at 5 % must keep to
SUBJECTS, JUDGED = (10, 16, 23, 40, 60), 23  # and from how many on coverage is judged
CROWD, BATCH, SWAPS = 20_000, 500, 199
SEEDS = {"nothing": 0.0, "some": 0.05, "most": 0.2, "nearly everything": 0.5}  # deviation of what they see
CROWDS = {  # metric, kind, and how the crowd is drawn
    "kappa": ("kappa", "ordinal", crowds.graded, {"lead": 0.3}),
    "kappa near its bound": ("kappa", "ordinal", crowds.graded, {"easy": 3.0, "lead": 0.3}),
    "CCC": ("ccc", "regression", crowds.valued, {}),
    "CCC that few people decide": ("ccc", "regression", crowds.valued, {"uneven": 0.8, "noise": 0.2}),
}

EXPLANATION = """Samples of subjects from large simulated crowds whose pooled score is known (20 clips a person, two \
seeds; `benchmark/validation/crowds.py`). `found` is in %: how often a 95 % interval covers the truth, or how often a \
test at the 5 % level finds a difference that is not there; `too low` and `too high` are the intervals that lie \
wholly below and above the truth. Judged are intervals from {judged} subjects on and all false positives; intervals \
of smaller samples, bootstraps and the effects found are shown for comparison. The intervals of this suite are \
jackknife-t (`benchmark/intervals.py`): percentile, BCa and bootstrap-t intervals stand below them; the first two \
cover less, the third no better at hundreds of times the cost. **Small samples**: with 10 and 16 subjects a score that \
few people decide is covered in about 92 %, a score near its bound in about 94 %; under 10 nothing was measured. \
`hierarchical` speaks of other subjects and other training."""


def section(draws: int) -> Section:
    """Every check as a row; draws: samples for each check of this suite's own intervals and tests."""
    groups = covered, compared, retrained, false_positives, effects, folds
    rows = [row for group in progress(groups, len(groups), "statistics") for row in group(draws)]
    return Section("Statistics: coverage and false positives", EXPLANATION.format(judged=JUDGED), rows)


def row(check: str, subjects: int, draws: int, found: float, below=None, above=None) -> dict:
    """One check, in % and not yet judged. found, below, above: shares."""
    shares = {"found": found, "too low": below, "too high": above}
    return {
        "check": f"{check}, {subjects} subjects",
        **{name: None if share is None else 100 * float(share) for name, share in shares.items()},
        "draws": draws,
        "accepted": None,
        "verdict": None,
    }


def judged(found: dict, low: float, high: float) -> dict:
    """A row with what it is accepted to be, in %."""
    inside = low <= found["found"] <= high
    return found | {"accepted": f"{low:g} to {high:g}", "verdict": "inside" if inside else "outside"}


def coverage(check: str, subjects: int, truth: float, low: np.ndarray, high: np.ndarray) -> dict:
    """A row of intervals (draws,) and what they should cover."""
    below, above = (high < truth).mean(), (low > truth).mean()
    return row(check, subjects, len(low), 1 - below - above, below, above)


def crowd(name: str, seeds: int = 2) -> tuple[np.ndarray, intervals.Statistic]:
    """A crowd and the statistic of one model's summed table."""
    metric, kind, draw, ways = CROWDS[name]
    people = draw(generator("crowd", name), CROWD, seeds, **ways)
    return people, lambda sums: pooled(metric, kind, sums[0])


def batches(draws: int) -> Iterator[int]:
    """How many samples to draw at once."""
    yield from (min(BATCH, draws - first) for first in range(0, draws, BATCH))


def covered(draws: int) -> list[dict]:
    """The intervals over subjects of a score and of a difference between two models, on every crowd."""
    rows = []
    for name in CROWDS:
        people, statistic = crowd(name)
        truth = np.array([statistic([model.sum(0, dtype=float)]) for model in people])
        for subjects in SUBJECTS:
            rng, ends = generator("covered", name, subjects), []
            for size in batches(draws):
                found = [left_out(statistic, [t]) for t in crowds.samples(rng, people, size, subjects)]
                (value, without), (other, other_without) = found
                ends.append([
                    limits(value, [jackknife(without)], CONFIDENCE),
                    limits(value - other, [jackknife(without - other_without)], CONFIDENCE),
                ])  # fmt: skip
            for what, at, wanted in (("", 0, truth[0]), ("difference of ", 1, truth[0] - truth[1])):
                low, high = np.concatenate([np.array(end[at]) for end in ends], axis=1)
                found = coverage(f"interval: {what}{name}", subjects, wanted, low, high)
                rows.append(judged(found, *COVERED) if subjects >= JUDGED else found)
    return rows


def compared(draws: int) -> list[dict]:
    """Bootstrap intervals of the same scores; a thirtieth of the draws, 500 resamples each, one seed."""
    rows, subjects = [], JUDGED
    for name in ("kappa", "CCC"):
        people, statistic = crowd(name, seeds=1)
        truth = np.array([statistic([model.sum(0, dtype=float)]) for model in people])
        rng = generator("compared", name)
        tables = crowds.samples(rng, people, max(draws // 30, 2), subjects)
        score = name, truth[0], lambda s, f=statistic: f([s[0]])
        apart = f"difference of {name}", truth[0] - truth[1], lambda s, f=statistic: f([s[0]]) - f([s[1]])
        for what, wanted, own in (score, apart):
            found = [bootstraps.limits(own, list(pair), 500, CONFIDENCE, rng) for pair in zip(*tables, strict=True)]
            for method in bootstraps.METHODS:
                low, high = np.array([ends[method] for ends in found]).T
                rows.append(coverage(f"{method}: {what}", subjects, wanted, low, high))
    return rows


def retrained(draws: int) -> list[dict]:
    """Intervals over subjects and seeds: differences of kappa, by how much the seeds decide; a quarter of the draws."""
    rows, subjects = [], JUDGED
    for name, deviation in SEEDS.items():
        rng, difference = generator("retrained", name), intervals.lead("kappa", "ordinal")
        people = crowds.graded(rng, 2000, 200, retrained=deviation)
        truth = np.subtract(*(pooled("kappa", "ordinal", model.sum(0, dtype=float)) for model in people))
        for seeds in (3, 5):
            ends, narrow = [], []
            for size in batches(draws // 4):
                who, run = rng.integers(0, 2000, (size, subjects, 1)), rng.integers(0, 200, (size, 1, seeds))
                tables = list(people[:, who, run].astype(float))
                value, without = left_out(difference, tables)
                spreads = [jackknife(without), over_seeds(difference, tables)]
                ends.append(limits(value, spreads, CONFIDENCE))
                narrow.append(limits(value, spreads[:1], CONFIDENCE))
            for what, found in (("hierarchical", ends), ("over subjects alone", narrow)):
                low, high = np.concatenate([np.array(end) for end in found], axis=1)
                check = f"{what}: seeds decide {name}, {seeds} seeds"
                found = coverage(check, subjects, truth, low, high)
                rows.append(judged(found, *COVERED) if what == "hierarchical" else found)
            if seeds > 3:
                continue
            last = list(zip(*tables, strict=True))[: max(draws // 30, 2)]
            drawn = [bootstraps.pigeonhole(difference, list(pair), 500, CONFIDENCE, rng) for pair in last]
            low, high = np.array(drawn).T
            check = f"pigeonhole bootstrap: seeds decide {name}, {seeds} seeds"
            rows.append(coverage(check, subjects, truth, low, high))
    return rows


def tested(people: np.ndarray, metric: str, kind: str, draws: int, subjects: int, *identity) -> np.ndarray:
    """p values of `paired` on samples of a crowd: (draws,)."""
    rng, found = generator("tested", metric, subjects, *identity), []
    for size in batches(draws):
        one, two = crowds.samples(rng, people, size, subjects)
        found += [paired(metric, kind, *pair, SWAPS).p for pair in zip(one, two, strict=True)]
    return np.array(found)


def false_positives(draws: int) -> list[dict]:
    """`paired` between models of equal skill: permutation under 20 subjects, Wilcoxon from there."""
    made = {
        "kappa": ("ordinal", crowds.graded(generator("crowd", "equal kappa"), CROWD, 1)),
        "ccc": ("regression", crowds.valued(generator("crowd", "equal ccc"), CROWD, 1)),
    }
    rows = []
    for metric, (kind, people) in made.items():
        people = np.concatenate([people, people[::-1]], axis=1)  # whoever is seen by one model is by the other
        for subjects in (10, 16, 23, 60) if metric == "kappa" else (10, 23):
            p = tested(people, metric, kind, draws, subjects)
            check = f"false positives: {metric}, {'Wilcoxon' if subjects >= RANKED else 'permutation'}"
            rows.append(judged(row(check, subjects, draws, (p <= 0.05).mean()), *FALSE))
    return rows


def effects(draws: int) -> list[dict]:
    """How often `paired` finds a difference that is there; a tenth of the draws."""
    people, statistic = crowd("kappa")
    apart = np.subtract(*(statistic([model.sum(0, dtype=float)]) for model in people))
    rows = []
    for subjects in (10, 23, 60):
        p = tested(people, "kappa", "ordinal", draws // 10, subjects, "effects")
        rows.append(row(f"found: a difference of kappa of {apart:.3f}", subjects, len(p), (p <= 0.05).mean()))
    return rows


def folds(draws: int) -> list[dict]:
    """t tests over ten random divisions of 100 samples into 80 and 20, corrected for their overlap and not.

    Two nearest-centroid classifiers see five features each, which tell the class equally well.
    """
    from scipy.special import stdtr

    rng, train, test, divisions = generator("folds"), 80, 20, 10
    order = np.argsort(rng.random((divisions, train + test)), axis=1)
    p, plain = [], []
    for size in batches(draws):
        side = np.where(rng.random((size, train + test)) < 0.5, 1.0, -1.0)
        x = rng.normal(size=(size, train + test, 2, 5)) + 0.3 * side[..., None, None]
        scores = np.stack([
            accuracy(x[:, own[:train]], side[:, own[:train]], x[:, own[train:]], side[:, own[train:]]) for own in order
        ], axis=1)  # fmt: skip
        for apart in scores[..., 0] - scores[..., 1]:
            corrected = nadeau_bengio(apart, train, test)
            p.append(1.0 if corrected.p is None else corrected.p)  # all divisions alike: nothing is found
            ratio = np.sqrt(1 + divisions * test / train)
            plain.append(1.0 if corrected.p is None else 2 * stdtr(divisions - 1, -abs(corrected.t) * ratio))
    found, naive = (float((np.array(values) <= 0.05).mean()) for values in (p, plain))
    return [
        judged(row("false positives: folds, Nadeau-Bengio", train + test, draws, found), *FALSE),
        row("false positives: folds as if independent", train + test, draws, naive),
    ]


def accuracy(x: np.ndarray, side: np.ndarray, new: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of nearest centroids: x (D, n, models, features), side (D, n) of -1 and 1 -> (D, models)."""
    share = np.where(side > 0, 1, 0) / np.maximum((side > 0).sum(1, keepdims=True), 1)
    above = np.einsum("dn,dnmf->dmf", share, x)
    rest = np.where(side < 0, 1, 0) / np.maximum((side < 0).sum(1, keepdims=True), 1)
    below = np.einsum("dn,dnmf->dmf", rest, x)
    lean = np.einsum("dnmf,dmf->dnm", new, above - below) - ((above**2 - below**2).sum(-1) / 2)[:, None]
    return (np.sign(lean) == truth[..., None]).mean(1)
