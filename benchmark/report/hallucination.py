"""Figure: what the T-Nets make of privileged embeddings that they do not see."""

import numpy as np

from benchmark.report import style
from benchmark.report.leaderboard import scored, title


def draw(records: list[dict], found: dict[str, np.ndarray] | str) -> style.Drawn:
    """Correlation of real and hallucinated embeddings by feature, and both in the plane of the real ones."""
    shown = style.Drawn("hallucination", "What the T-Nets hallucinate")
    if isinstance(found, str):
        return shown._replace(reason=found)
    tokens = [name.removeprefix("tokens/") for name in found if name.startswith("tokens/")]
    names = [name for name in tokens if name != "real"]
    there = found["there"].astype(bool) if "there" in found else np.zeros((0, 0), bool)
    usable = [q for q in range(there.shape[1]) if there[:, q].sum() >= 3]
    if not names or not usable or not scored(records):
        return shown._replace(
            reason="no T-Net, or fewer than three clips with a privileged recording, in the test fold"
        )
    height = 2.7 * len(usable)
    figure = style.canvas(
        11, height + 0.8, f"{title(scored(records)[0])}: privileged embeddings, real and hallucinated"
    )
    quality, constant = [], []
    with style.settings():
        grid = figure.subplots(len(usable), 1 + len(names), squeeze=False, width_ratios=[1.25, *[1] * len(names)])
        for row, q in zip(grid, usable, strict=True):
            real = found["tokens/real"][there[:, q], q].astype(float)
            guesses = {name: found[f"tokens/{name}"][there[:, q], q].astype(float) for name in names}
            quality.append((str(found["privileged"][q]), draw_correlations(row[0], real, guesses, constant)))
            draw_planes(row[1:], real, guesses)
            row[0].set_title(f"{found['privileged'][q]}: each feature", pad=3)
        handles, labels = grid[0, 1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    told = "; ".join(f"{what}: {', '.join(f'{n} {m:.2f}' for n, m in medians)}" for what, medians in quality)
    reading = (
        "Left: correlation over test clips between each feature of the teacher's privileged embedding and what a T-Net "
        f"makes of the prevalent ones; bars are medians ({told}). Right: real and hallucinated embeddings in the plane "
        "of the first two principal components of the real ones; they should cover each other. `random` is an "
        "untrained T-Net."
    )
    lost = f" Without a correlation, being constant: {style.several(constant)}." if constant else ""
    return shown._replace(figure=figure, reading=reading + lost)


def correlations(real: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Correlation of each feature (n, D), (n, D) -> (D,); NaN where one of them is constant."""
    a, b = real - real.mean(0), guess - guess.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))


def draw_correlations(axes, real: np.ndarray, guesses: dict, constant: list[str]) -> list[tuple[str, float]]:
    """A column of features for each T-Net; returns its median, and adds to constant what has none."""
    medians = []
    for place, (name, guess) in enumerate(guesses.items()):
        found = correlations(real, guess)
        kept = np.sort(found[np.isfinite(found)])
        if len(kept) < len(found):
            constant.append(f"{len(found) - len(kept)} features of {name}")
        spread = place + 0.25 * np.sin(np.arange(len(kept)) * 2.4)  # beside each other, always in the same way
        axes.scatter(
            spread, kept, s=10, color=style.COLOURS[place], marker=style.MARKERS[place], alpha=0.7, linewidths=0
        )
        if len(kept):
            medians.append((name, float(np.median(kept))))
            axes.hlines(medians[-1][1], place - 0.38, place + 0.38, color="black", linewidth=1.6)
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.set_xticks(range(len(guesses)), list(guesses))
    axes.set_ylim(-1.05, 1.05)
    axes.set_ylabel("correlation")
    style.tidy(axes)
    return medians


def draw_planes(grid, real: np.ndarray, guesses: dict) -> None:
    """Real and hallucinated embeddings in the plane of the real ones; what lies far outside is at the edge."""
    centre = real.mean(0)
    plane = np.linalg.svd(real - centre, full_matrices=False)[2][:2]
    plane = plane * np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])[:, None]  # a sign that does not flip
    truth = (real - centre) @ plane.T
    reach = 1.3 * max(np.abs(truth).max(), 1e-6)
    for axes, (name, guess) in zip(grid, guesses.items(), strict=True):
        seen = np.clip((guess - centre) @ plane.T, -reach, reach)
        axes.scatter(*truth.T, s=14, facecolors="none", edgecolors="0.45", linewidths=0.7, label="real")
        axes.scatter(*seen.T, s=10, color=style.COLOURS[1], marker="x", linewidths=0.9, label="hallucinated")
        axes.set_title(name, pad=3)
        axes.set_xlim(-1.05 * reach, 1.05 * reach)
        axes.set_ylim(-1.05 * reach, 1.05 * reach)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("first component")
    grid[0].set_ylabel("second component")
