"""degrade: recordings made worse -> feature tables of what is left, as `features` makes them of what was recorded.

Opt-in: only the entries of suite.degradations are made, and of each only the kinds of modality that it names. All
clips of a dataset are made: which of them are tested is a matter of the tasks' folds.
"""

import json
import shutil
from pathlib import Path

import pandas as pd

from benchmark import degradation, executor, extraction, plugins
from benchmark.files import write_json
from benchmark.types import Modality
from pipelines import features, stage


def main(dataset: str) -> None:
    params = stage.params()
    entry, folder = stage.planned("datasets", dataset), stage.DEGRADED / dataset
    names = params.suite.degradations
    clips = pd.read_parquet(stage.PREPARED / dataset / "clips.parquet")
    root = Path(json.loads((stage.PREPARED / dataset / "source.json").read_text())["root"])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path)
    made = {}
    for name in names:
        options = params.degradations[name]
        chosen = {own: kind for own, (kind, _) in entry["modalities"].items() if kind in options.kinds}
        for path in sorted((folder / name).glob("*")):
            if path.name not in chosen:
                shutil.rmtree(path)
        todo = {own: degradation.Degrading(name, dataset, own, getattr(options, kind)) for own, kind in chosen.items()}
        made[name] = {own: extract(todo[own], clips, root, folder / name / own, entry, params) for own in todo}
        if not made[name]:
            print(f"{dataset} {name}: none of its modalities is of a kind that {name} changes")
    write_json(folder / "degradations.json", made)
    if not made:
        print(f"{dataset}: suite.degradations is empty, nothing to do")


def extract(change: degradation.Degrading, clips: pd.DataFrame, root: Path, folder: Path, entry: dict, params) -> dict:
    """Features of one modality in one degradation; returns how many clips have them, and why others have none.

    Recordings that a degradation makes unusable are its outcome: no share of them is too large.
    """
    section, kind = params.features, entry["modalities"][change.modality][0]
    modality = Modality(kind, tuple(entry["modalities"][change.modality][1]))
    jobs = features.jobs(change.modality, modality, clips, root, folder, entry, section)
    jobs = [job._replace(change=change) for job in jobs]
    title = f"{change.dataset} {change.modality} {change.name}"
    counts = executor.map(extraction.extract_subject, jobs, title, params.runtime)
    options = plugins.load("features", kind).Options(**section.extractors.get(kind, {}))
    index = extraction.pack(folder, clips, modality, options)
    print(f"{title}: {features.tally(counts)}")
    reasons = index.reason[~index.present].value_counts()
    return {"clips": len(index), "present": int(index.present.sum()), "reasons": reasons.to_dict()}


if __name__ == "__main__":
    stage.run(main)
