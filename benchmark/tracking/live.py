"""Training as it goes: epoch curves of models that are in training, mirrored as RUNNING runs."""

from dataclasses import dataclass
from pathlib import Path

from benchmark.tracking import epochs, store


@dataclass
class Shown:
    """What MLflow has of a file."""

    run_id: str
    path: Path
    text: str  # its whole lines, as far as they were read
    epoch: int  # the last one that is there


class Live:
    """Mirrors of the files that training stages append to; call update() again and again."""

    def __init__(self, experiment: str, models: Path):
        self.experiment, self.models = experiment, models
        self.held: dict[str, Shown] = {}
        self.begun = False

    def update(self) -> int:
        """Send the epochs that are new; how many models are in training. Unreachable: all is sent again next time."""
        training = epochs.in_training(self.models)
        if not training and not self.held and self.begun:
            return 0
        try:
            with store.connected() as client:
                self._begin(client, training)
                for key in [key for key in self.held if key not in training]:
                    self._end(client, self.held.pop(key))
                for key, path in training.items():
                    self._append(client, key, path)
        except store.Unreachable:
            self.held, self.begun = {}, False
            raise
        return len(training)

    def _begin(self, client, training: dict[str, Path]) -> None:
        """Once: runs that an earlier watcher left RUNNING are over, or begin anew."""
        if self.begun:
            return
        number = store.experiment_number(client, self.experiment)
        for key, runs in store.held(client, number, f"{store.LIVE}%", "RUNNING").items():
            for run_id, _ in runs:
                if key.removeprefix(store.LIVE) in training:
                    client.delete_run(run_id)
                else:
                    client.set_terminated(run_id)
        self.begun = True

    def _append(self, client, key: str, path: Path) -> None:
        text = whole_lines(path)
        last = self.held.get(key)
        if last and not text.startswith(last.text):  # the training began again
            client.delete_run(self.held.pop(key).run_id)
            last = None
        found = epochs.rows(text)
        if found and not last:
            number = store.experiment_number(client, self.experiment)
            last = self.held[key] = Shown(store.begin(client, number, key), path, "", 0)
        if last:
            self._send(client, last, text, epochs.last_complete(found))

    def _end(self, client, last: Shown) -> None:
        """A training that is over has all its epochs; one whose file has gone left nothing to be seen."""
        text = whole_lines(last.path)
        if not text.startswith(last.text):
            client.delete_run(last.run_id)
            return
        self._send(client, last, text, max((row.epoch for row in epochs.rows(text)), default=0))
        client.set_terminated(last.run_id)

    def _send(self, client, last: Shown, text: str, until: int) -> None:
        points = [point for point in epochs.means(epochs.rows(text)) if last.epoch < point[2] <= until]
        store.append(client, last.run_id, [(f"epoch/{term}", value, epoch) for term, value, epoch in points])
        last.text, last.epoch = text, until


def whole_lines(path: Path) -> str:
    """The text of a file up to its last whole line; nothing where it has just vanished."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return text[: text.rfind("\n") + 1]
