"""Figure: mean ranks and the critical difference (Demsar 2006, JMLR 7)."""

from benchmark.report import style


def draw(ranks: dict | None, heading: str) -> style.Drawn:
    """ranks: methods, average, critical, p, cliques, blocks, unit, or a reason. heading: the task as in titles."""
    shown = style.Drawn("ranks", "Mean ranks and critical difference")
    if not ranks or "average" not in ranks:
        return shown._replace(reason=(ranks or {}).get("reason") or "ranks were not computed for these records")
    order = sorted(zip(ranks["average"], ranks["methods"], strict=True))
    half = -(-len(order) // 2)
    cliques = [clique for clique in ranks.get("cliques") or [] if len(clique) > 1]
    figure = style.canvas(9, 1.9 + 0.13 * len(cliques) + 0.26 * half, f"{heading}: mean ranks (1: best)")
    with style.settings():
        axes = figure.subplots()
        top = max(len(order), 2)
        axes.set_xlim(1 - 0.3 * top, top * 1.3)
        depth = 0.9 + 0.45 * len(cliques)
        axes.set_ylim(depth + 0.9 * half, -1.9)
        axes.set_axis_off()
        draw_axis(axes, top, ranks["critical"])
        for number, (rank, name) in enumerate(order):
            left = number < half
            y = depth + 0.9 * (number if left else len(order) - 1 - number)
            edge = 1 - 0.02 * top if left else top * 1.02
            axes.plot([rank, rank, edge], [0, y, y], color="0.35", linewidth=0.8)
            axes.text(edge, y, f" {name} {rank:.2f} ", ha="right" if left else "left", va="center")
        place = dict((name, rank) for rank, name in order)
        for level, clique in enumerate(cliques):
            inside = [place[name] for name in clique]
            axes.plot([min(inside) - 0.05, max(inside) + 0.05], [0.45 + 0.45 * level] * 2, color="black", linewidth=3.5)
    return shown._replace(figure=figure, reading=reading(ranks))


def draw_axis(axes, top: int, critical: float | None) -> None:
    axes.plot([1, top], [0, 0], color="black", linewidth=1)
    for rank in range(1, top + 1):
        axes.plot([rank, rank], [0, -0.18], color="black", linewidth=1)
        axes.text(rank, -0.3, str(rank), ha="center", va="bottom")
    if critical is not None:
        end = min(1 + critical, top)
        axes.plot([1, end], [-1.25, -1.25], color="black", linewidth=1.6, marker="|")
        axes.text(end + 0.1, -1.25, f"critical difference {critical:.2f}", ha="left", va="center")


def reading(ranks: dict) -> str:
    p, unit = ranks.get("p"), ranks.get("unit") or "blocks"
    text = f"Mean ranks over {ranks['blocks']} {unit}. Methods under one thick bar are not told apart."
    if p is None:
        return text
    told = "some methods differ" if p < 0.05 else "no method is told from another"
    return f"{text} Friedman's test: p {'< .001' if p < 0.0005 else f'{p:.3f}'}, {told}."
