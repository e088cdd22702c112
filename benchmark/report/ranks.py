"""Figure: mean ranks and the critical difference (Demsar 2006, JMLR 7)."""

from benchmark.report import style
from benchmark.report.leaderboard import p_text


def draw(found: dict | None, heading: str) -> style.Drawn:
    """A critical-difference diagram.

    found: methods [{method, rank}] from the best, blocks, excluded, friedman {p} or None, critical_difference or None,
    cliques of names, reason, and optionally unit, the name of the blocks. heading: the task as in titles.
    """
    shown = style.Drawn("ranks", "Mean ranks and critical difference")
    if not found or not found.get("methods"):
        return shown._replace(reason=(found or {}).get("reason") or "ranks were not computed for these records")
    order = [(entry["rank"], entry["method"]) for entry in found["methods"]]
    half = -(-len(order) // 2)
    cliques, depth = found["cliques"], 0.9 + 0.45 * len(found["cliques"])
    figure = style.canvas(9, 1.9 + 0.13 * len(cliques) + 0.26 * half, f"{heading}: mean ranks (1: best)")
    with style.settings():
        axes = figure.subplots()
        top = max(len(order), 2)
        axes.set_xlim(1 - 0.3 * top, top * 1.3)
        axes.set_ylim(depth + 0.9 * half, -1.9)
        axes.set_axis_off()
        draw_axis(axes, top, found["critical_difference"])
        for number, (rank, name) in enumerate(order):
            left = number < half
            y = depth + 0.9 * (number if left else len(order) - 1 - number)
            edge = 1 - 0.02 * top if left else top * 1.02
            axes.plot([rank, rank, edge], [0, y, y], color="0.35", linewidth=0.8)
            axes.text(edge, y, f" {name} {rank:.2f} ", ha="right" if left else "left", va="center")
        place = {name: rank for rank, name in order}
        for level, clique in enumerate(cliques):
            inside = [place[name] for name in clique]
            ends = [min(inside) - 0.05, max(inside) + 0.05]
            axes.plot(ends, [0.45 + 0.45 * level] * 2, color="black", linewidth=3.5)
    return shown._replace(figure=figure, reading=reading(found))


def draw_axis(axes, top: int, critical: float | None) -> None:
    axes.plot([1, top], [0, 0], color="black", linewidth=1)
    for rank in range(1, top + 1):
        axes.plot([rank, rank], [0, -0.18], color="black", linewidth=1)
        axes.text(rank, -0.3, str(rank), ha="center", va="bottom")
    if critical is not None:
        end = min(1 + critical, top)
        axes.plot([1, end], [-1.25, -1.25], color="black", linewidth=1.6, marker="|")
        axes.text(end + 0.1, -1.25, f"critical difference {critical:.2f}", ha="left", va="center")


def reading(found: dict) -> str:
    """How to read the diagram, and what the test of all ranks says."""
    text = f"Mean ranks over {found['blocks']} {found.get('unit') or 'blocks'}"
    text += f"; {found['excluded']} more have an undefined score and are left out." if found.get("excluded") else "."
    if found["critical_difference"] is not None:
        text += " Methods under one thick bar are not told apart (Nemenyi)."
    if found["friedman"]:
        text += f" Friedman's test that all rank alike: {p_text(found['friedman']['p'])}."
    return f"{text} {found['reason'].capitalize()}." if found["reason"] else text
