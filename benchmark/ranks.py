"""Average ranks of methods over blocks, and which of them are not told apart: what a critical-difference diagram shows.

Demsar 2006, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7. Blocks are subjects within a task,
or tasks; every method has a score in every block.
"""

from collections.abc import Sequence

import numpy as np


def compare(scores: dict[str, Sequence[float]], confidence: float, higher_is_better: bool = True) -> dict:
    """Ranks, Friedman test, Nemenyi's critical difference and the groups of methods that it does not tell apart.

    scores: method -> a score per block, the same blocks in the same order. A block in which a score is undefined is
    left out for all and counted. Returns plain data:
    {"methods": [{"method", "rank"}] from the best, rank 1 is best and ties share theirs, "blocks", "excluded",
     "friedman": {"statistic", "p"} or None, "critical_difference": float or None,
     "cliques": lists of two or more names, from the best, whose ranks differ by less than that, "reason"}.
    Reason says what is missing and why: there are no ranks without two methods and two blocks, no test of two methods
    (a paired test is for two), and neither says much under about ten blocks.
    """
    names = list(scores)
    table = np.array(list(scores.values()), float).T if names else np.zeros((0, 0))  # (blocks, methods)
    whole = np.isfinite(table).all(1)
    said = {"methods": [], "blocks": int(whole.sum()), "excluded": int((~whole).sum()), "friedman": None}
    said |= {"critical_difference": None, "cliques": [], "reason": None}
    if len(names) < 2 or said["blocks"] < 2:
        return said | {"reason": f"no ranks of {len(names)} methods in {said['blocks']} blocks: two of each are needed"}
    ranks = average(table[whole], higher_is_better)
    order = np.argsort(ranks, kind="stable")
    said["methods"] = [{"method": names[at], "rank": float(ranks[at])} for at in order]
    if len(names) < 3:
        return said | {"reason": "two methods: a paired test compares them"}
    if (table[whole] == table[whole][:, :1]).all():
        return said | {"reason": "no test: all methods score alike in every block"}
    reach = critical_difference(len(names), said["blocks"], confidence)
    groups = cliques(ranks[order], reach)
    return said | {
        "friedman": friedman(table[whole]),
        "critical_difference": reach,
        "cliques": [[names[at] for at in order[first : last + 1]] for first, last in groups],
    }


def average(table: np.ndarray, higher_is_better: bool = True) -> np.ndarray:
    """Mean rank of each method over the blocks: (blocks, methods) -> (methods,); 1 is best, ties share their mean."""
    from scipy.stats import rankdata  # 2 s that training does not need

    return rankdata(-table if higher_is_better else table, axis=1).mean(0)


def friedman(table: np.ndarray) -> dict[str, float]:
    """Friedman's test (1937, JASA 32) that all methods rank alike: (blocks, 3 or more methods)."""
    from scipy.stats import friedmanchisquare

    found = friedmanchisquare(*table.T)
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def critical_difference(methods: int, blocks: int, confidence: float) -> float:
    """How far the average ranks of two methods must lie apart to be told apart (Nemenyi 1963)."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(confidence, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def cliques(ranks: np.ndarray, reach: float) -> list[tuple[int, int]]:
    """Longest runs, as first and last place, of two or more sorted ranks that lie less than reach apart."""
    found, furthest = [], 0
    for first in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[first] + reach, side="left")) - 1
        if last > max(first, furthest):
            found.append((first, last))
        furthest = max(furthest, last)
    return found
