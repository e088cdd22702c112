"""How fast recordings become features: seconds of recording in a second of one core, by modality."""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from threadpoolctl import threadpool_limits

from benchmark import executor
from benchmark.bench import clock, page, recordings, yardsticks
from benchmark.bench.recordings import Material
from benchmark.params import Params
from benchmark.sections import Runtime

YARDSTICKS = {  # kind -> what else is done to the same recordings
    "vision": {
        "decode": yardsticks.decode,
        "decode + detect": yardsticks.detect,
        "decode + follow": yardsticks.follow,
    },
    "biosignal": {"neurokit": yardsticks.neurokit},
    "speech": {"pyin": yardsticks.pyin},
}
SHARED_S = 4.0  # of one core, shared between two workers

EXPLANATION = """Seconds of recording per second of one core, reading the file included, of recordings rendered for \
it. *features*: as the suite extracts its clips; *files*: every file as one clip, which is what NeuroKit and pyin \
do; they differ where clips are windows that overlap. *decode*: OpenCV grabs every frame and does nothing else. \
*decode + detect*: also its frontal cascade over the whole of each analysed frame (five a second, as large as the \
extractor has them). *decode + follow*: the face found and followed as the extractor does, which is faster, but \
nothing measured. *neurokit*: `eda_process`, `ecg_process` and `emg_process` of the channels; where it fails its \
time until then counts. *pyin*: librosa's pitch, 13 coefficients, level and spectral shape. Two workers: recordings \
of faces through `benchmark/executor.py`, wall time, its processes running already."""


def measure(params: Params, repetitions: int, datasets: list[str], people: int = recordings.PEOPLE) -> dict:
    """The part of the page."""
    with TemporaryDirectory() as folder, threadpool_limits(1):
        found = [own for name in datasets for own in recordings.render(params, name, Path(folder) / name, people)]
        spent = clock.race(contestants(found), repetitions, "extraction", clock=time.process_time)
        seen = next((own for own in found if own.kind == "vision"), found[0])
        shared = clock.race(workers(seen, SHARED_S), repetitions, "workers")
        failed = {own.dataset: yardsticks.neurokit(own) for own in found if own.kind == "biosignal"}
    tables = {kind: [row(own, spent) for own in found if own.kind == kind] for kind in YARDSTICKS}
    for line in tables["biosignal"]:
        line["neurokit failed"] = failed[line["dataset"]]
    gain = clock.ratio(shared, "one", "two")
    tables["workers"] = [{f"{name} workers, s": seconds for name, seconds in clock.medians(shared).items()}]
    tables["workers"][0]["one / two"] = gain
    return page.part("Extraction", EXPLANATION, {k: rows for k, rows in tables.items() if rows}, goals(tables, gain))


def contestants(found: list[Material]) -> dict:
    """(dataset, modality, way) -> what to time, this suite and its yardsticks."""
    runs = {}
    for own in found:
        key = own.dataset, own.job.modality
        runs[*key, "features"] = own.extract
        if own.kind != "vision":
            runs[*key, "files"] = own.as_files().extract
        runs |= {(*key, name): partial(run, own) for name, run in YARDSTICKS[own.kind].items()}
    return runs


def row(own: Material, spent: dict) -> dict:
    """Speeds on one modality of a dataset, and how its times compare."""
    key = own.dataset, own.job.modality
    seconds = {way: times for (*place, way), times in spent.items() if tuple(place) == key}
    speeds = {way: own.seconds / typical for way, typical in clock.medians(seconds).items()}
    if own.kind == "vision":
        pairs = [("features", way) for way in YARDSTICKS["vision"]]
    else:
        pairs = [(way, suite) for way in YARDSTICKS[own.kind] for suite in ("files", "features")]
    ratios = {f"{slow} / {fast}": clock.ratio(seconds, slow, fast) for slow, fast in pairs}
    return {"dataset": own.dataset, "modality": own.job.modality, "recording, s": own.seconds} | speeds | ratios


def goals(tables: dict[str, list[dict]], gain: float) -> list[dict]:
    """The worst of the datasets counts."""
    wanted = (
        ("vision: features over decode + detect", "vision", "features / decode + detect", max, {"at_most": 3}),
        ("vision: features over decode + follow", "vision", "features / decode + follow", max, {"at_most": 3}),
        ("bio-signals: neurokit over files", "biosignal", "neurokit / files", min, {"at_least": 15}),
        ("bio-signals: neurokit over features", "biosignal", "neurokit / features", min, {"at_least": 15}),
        ("speech: pyin over features", "speech", "pyin / features", min, {"at_least": 8}),
    )
    found = [
        page.goal(text, worst(line[column] for line in tables[kind]) if tables[kind] else None, **bound)
        for text, kind, column, worst, bound in wanted
    ]
    return [*found, page.goal("one worker over two", gain, at_least=1.8)]


def workers(own: Material, seconds: float) -> dict:
    """The same recordings by one worker and by two, as often as it takes to fill so many seconds of one core."""
    items = [own._replace(groups=[group], recordings=[]) for group in own.groups]
    start = time.perf_counter()
    for item in items:
        item.extract()
    items *= max(1, round(seconds / (time.perf_counter() - start)))
    return {name: partial(spread, items, count) for name, count in (("one", 1), ("two", 2))}


def spread(items: list[Material], count: int) -> None:
    executor.map(Material.extract, items, "recordings", Runtime(workers=count))
