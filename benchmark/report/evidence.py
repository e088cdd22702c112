"""What the figures of a task are drawn from, beside its records: predictions, embeddings, epoch curves."""

import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.records import tested
from benchmark.report.leaderboard import scored

COLUMNS = ("epoch", "fold", "seed", "term", "value")


class Evidence(NamedTuple):
    """Of one task. What is missing, or does not belong to the records, is a reason in the place of data."""

    records: list[dict]
    predictions: dict[str, pd.DataFrame]  # method -> rows of the headline condition
    unread: dict[str, str]  # method -> why its predictions are not there
    embeddings: dict[str, np.ndarray] | str
    curves: dict[str, pd.DataFrame]  # model -> epoch, fold, seed, term, value


def gather(task: str, records: list[dict], predictions: Path, embeddings: Path, models: Path) -> Evidence:
    """Read what there is. predictions, embeddings and models are the folders that hold the results."""
    found, unread = {}, {}
    for record in scored(records):
        path = predictions / task / f"{record['method']}.parquet"
        rows = headline_rows(path, record)
        (unread if isinstance(rows, str) else found)[record["method"]] = rows
    known = frozenset(next(iter(found.values())).clip_id) if found else frozenset()
    curves = {path.parent.name: epochs(path) for path in sorted((models / task).glob("*/curves.csv"))}
    curves = {name: table for name, table in curves.items() if table is not None}
    return Evidence(records, found, unread, embedded(embeddings / f"{task}.npz", known), curves)


def ranking(path: Path) -> dict:
    """How subjects rank the models of a task, or why that is not known."""
    try:
        return json.loads(path.read_text()) | {"unit": "subjects"}
    except FileNotFoundError:
        return {"methods": [], "reason": f"results/ranks/{path.name} is missing: run `dvc repro evaluate`"}
    except ValueError:
        return {"methods": [], "reason": f"results/ranks/{path.name} is not a whole file: run `dvc repro -f evaluate`"}


def epochs(path: Path) -> pd.DataFrame | None:
    """Epoch curves of a model; None where the file holds none."""
    try:
        return pd.read_csv(path, dtype={"term": str})[list(COLUMNS)]
    except (ValueError, KeyError):
        return None


def headline_rows(path: Path, record: dict) -> pd.DataFrame | str:
    """Predictions of one model under the headline condition, or why there are none that belong to its record."""
    import pyarrow
    import pyarrow.parquet as parquet

    condition = record["headline"]["condition"]
    expected = record["conditions"].get(condition, {}).get("clips", 0)
    try:
        with parquet.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name not in ("recording_id", "frames", "variance")]
        rows = pd.read_parquet(path, columns=columns, filters=[("condition", "==", condition)])
    except FileNotFoundError:
        return f"{path.name} is missing: run `dvc repro evaluate`"
    except (pyarrow.ArrowInvalid, OSError) as error:
        return f"{path.name} cannot be read ({str(error).splitlines()[0][:80]}): run `dvc repro evaluate`"
    if tested(rows, condition) != record["tested"]:
        clips = rows.clip_id.nunique()
        return f"{path.name} is of {clips} clips that are not the {expected} of its record: repeat `dvc repro evaluate`"
    return rows.drop(columns="condition")


def embedded(path: Path, known: frozenset[str]) -> dict[str, np.ndarray] | str:
    """Embeddings of the test clips of the first fold, or why there are none that belong to the predictions."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as file:
            found = {name: file[name] for name in file.files}
    except FileNotFoundError:
        return f"results/embeddings/{path.name} is missing: run `dvc repro evaluate`"
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        return f"results/embeddings/{path.name} cannot be read ({str(error)[:80]}): run `dvc repro evaluate`"
    strangers = [clip for clip in found["clip_id"] if clip not in known]
    if strangers:
        return (
            f"{len(strangers)} of {len(found['clip_id'])} embedded clips, such as {strangers[0]}, have no predictions"
        )
    return found
