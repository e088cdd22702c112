"""inputs: clip table and features of a dataset -> what the networks of a task read, and its splits."""

import shutil

from benchmark import inputs, splits
from benchmark.files import write_table
from pipelines import stage


def main(task: str) -> None:
    spec = stage.task_of(task)
    folder = stage.INPUTS / task
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clips = inputs.gather(spec, stage.PREPARED / spec.dataset, stage.FEATURES / spec.dataset, folder)
    try:
        drawn = splits.draw(clips, spec.split)
    except ValueError as error:
        raise stage.Failure(f"tasks.{task}: {error}") from None
    write_table(folder / "splits.parquet", drawn)
    print(f"{task}: {len(clips)} clips of {clips.subject_id.nunique()} subjects in {drawn.fold.nunique()} folds")


if __name__ == "__main__":
    stage.run(main)
