"""Figures: how alike the clips are to teacher and students, and the transport between their structures."""

import numpy as np

from benchmark.report import style
from benchmark.report.leaderboard import scored, title

MOST = 100  # clips along the side of a drawn matrix; neighbours are averaged above that
CARRIED = 128  # clips of a transport plan, as in a batch


def similarity(records: list[dict], found: dict[str, np.ndarray] | str) -> style.Drawn:
    """Cosine similarities between test clips, sorted by target: teacher and students side by side."""
    shown = style.Drawn("similarity", "Similarity of clips to teacher and students")
    own = scored(records)
    names = [] if isinstance(found, str) else [r["method"] for r in own if f"z/{r['method']}" in found]
    if not names:
        return shown._replace(reason=found if isinstance(found, str) else "no embeddings of any scored model")
    figure, grid = style.panels(len(names), 5, (1.9, 1.95), f"{title(own[0])}: cosine similarity of test clips")
    alike = {record["method"]: record.get("geometry") for record in own}
    with style.settings():
        for number, (axes, name) in enumerate(zip(grid, names, strict=True)):
            matrix = shrunk(cosine(found[f"z/{name}"]))
            image = axes.imshow(matrix, cmap=style.SCALE, vmin=-1, vmax=1, interpolation="nearest")
            cka = f"\nCKA {alike[name]['cka']:.2f}" if alike[name] else "\nsees everything" * (name == "teacher")
            axes.set_title(f"{name}{cka}", pad=3)
            boundaries(axes, found["target"], len(matrix), own[0], labels=number == 0)
        bar = figure.colorbar(image, ax=grid, shrink=0.5, aspect=25, location="right")
        bar.set_label("cosine similarity")
    reading = (
        f"{len(found['clip_id'])} test clips of the first fold and seed, {order_words(own[0])}; light blocks along the "
        "diagonal are clips of one class that look alike to the model. The teacher sees everything, the others the "
        "prevalent modalities. CKA with the teacher is over all folds and seeds. A network that knows nothing of the "
        "target shows no blocks."
    )
    return shown._replace(figure=figure, reading=reading)


def order_words(record: dict) -> str:
    task = record["definition"]
    return "sorted by class" if task["classes"] else f"sorted by {task['target'][0]} from low to high"


def cosine(z: np.ndarray) -> np.ndarray:
    """Cosine similarity of every pair of rows (n, D) -> (n, n); 0 for a row of zeros."""
    z = z.astype(float)
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6)
    return unit @ unit.T


def shrunk(matrix: np.ndarray, most: int = MOST) -> np.ndarray:
    """A matrix of at most `most` rows and columns: means of neighbours."""
    step = -(-len(matrix) // most)
    starts = np.arange(0, len(matrix), step)
    counts = np.diff([*starts, len(matrix)])
    summed = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    return summed / np.outer(counts, counts)


def boundaries(axes, target: np.ndarray, size: int, record: dict, labels: bool) -> None:
    """Lines between classes, and their names where asked for; nothing for values."""
    axes.set_xticks([])
    axes.set_yticks([])
    if not record["definition"]["classes"]:
        axes.set_ylabel(f"clips by {record['definition']['target'][0]}" if labels else "")
        return
    values, starts = np.unique(target.reshape(len(target), -1)[:, 0], return_index=True)
    scale, ends = size / len(target), [*starts[1:], len(target)]
    for start in starts[1:]:
        for rule in (axes.axhline, axes.axvline):
            rule(start * scale - 0.5, color="white", linewidth=0.7)
    if labels:
        middles = [(start + end) / 2 * scale - 0.5 for start, end in zip(starts, ends, strict=True)]
        axes.set_yticks(middles, [f"{value:g}" for value in values])
        axes.set_ylabel("class")


def transport(records: list[dict], found: dict[str, np.ndarray] | str) -> style.Drawn:
    """Where the mass of each student clip goes when its structure is transported onto the teacher's."""
    shown = style.Drawn("transport", "Transport plan between structures")
    own = scored(records)
    if isinstance(found, str):
        return shown._replace(reason=found)
    names = [name for name in carriers(own) if f"z/{name}" in found]
    if not names or "z/teacher" not in found or len(found["clip_id"]) < 3:
        return shown._replace(reason="a plan needs the teacher's and a student's embeddings of three clips or more")
    rows = np.unique(np.linspace(0, len(found["clip_id"]) - 1, CARRIED).round().astype(int))
    figure, grid = style.panels(len(names), 4, (2.6, 2.75), f"{title(own[0])}: transport of structures")
    with style.settings():
        for number, (axes, name) in enumerate(zip(grid, names, strict=True)):
            plan = plan_between(found["z/teacher"][rows], found[f"z/{name}"][rows]) * len(rows)
            image = axes.imshow(np.sqrt(plan), cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(f"{name}\n{told(plan, found['target'][rows], own[0])}", pad=3)
            boundaries(axes, found["target"][rows], len(rows), own[0], labels=number == 0)
            for spine in axes.spines.values():
                spine.set_color("0.5")
            for line in axes.lines:
                line.set_color(style.COLOURS[1])
            axes.set_xlabel("clip of the student")
        bar = figure.colorbar(image, ax=grid, shrink=0.6, aspect=25)
        bar.set_label("share of a clip's mass")
        bar.set_ticks(np.sqrt([0, 0.01, 0.05, 0.2, 0.5, 1]), labels=["0", ".01", ".05", ".2", ".5", "1"])
    reading = (
        f"Rows: {len(rows)} test clips as the teacher sees them, {order_words(own[0])}; columns: the same clips as the "
        "student sees them. Dark cells carry mass; a diagonal would mean that each clip is recognised by its place "
        "among the others. Anchors, shift and cost are the defaults of `kdot`. In the title: share of the mass on the "
        f"diagonal (chance {1 / len(rows):.3f}), and for classes the share that stays within the class."
    )
    return shown._replace(figure=figure, reading=reading)


def carriers(records: list[dict]) -> list[str]:
    """The baseline, and the first three methods that match structures by transport."""
    matched = [r["method"] for r in records if "kdot" in ((r.get("options") or {}).get("terms") or {})]
    return [r["method"] for r in records if r["method"] == "prevalent_only"] + matched[:3]


def plan_between(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    """Plan (n, n) of mass 1 between two anchored structures. teacher, student (n, D)."""
    import torch  # 1.3 s that only this figure needs

    from benchmark import ot

    return ot.anchored_plan(*(torch.from_numpy(z.astype(np.float64)) for z in (teacher, student))).numpy()


def told(plan: np.ndarray, target: np.ndarray, record: dict) -> str:
    """Share of the mass on the diagonal, and within classes. plan: of mass n."""
    text = f"on the diagonal {np.trace(plan) / len(plan):.3f}"
    if record["definition"]["classes"]:
        same = target[:, None] == target[None, :]
        text += f"\nwithin class {(plan * same).sum() / len(plan):.2f} (chance {same.mean():.2f})"
    return text
