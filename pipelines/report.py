"""report: records -> leaderboard and figures."""

from benchmark import records
from benchmark.files import write_json
from benchmark.report import figures, leaderboard
from pipelines import stage


def main() -> None:
    suite = stage.params().suite
    found = records.load(stage.RECORDS, suite.tasks, records.names(suite.methods))
    rows = leaderboard.rows(list(found.values()))
    rows.to_csv(stage.RESULTS / "leaderboard.csv", index=False)
    (stage.RESULTS / "leaderboard.md").write_text(leaderboard.markdown(list(found.values())))
    write_json(
        stage.RESULTS / "leaderboard.json", {"rows": rows.astype(object).where(rows.notna(), None).to_dict("records")}
    )
    for task in suite.tasks:
        figures.scores([record for (own, _), record in found.items() if own == task], stage.FIGURES / f"{task}.png")
    print(f"results/leaderboard.md: {len(found)} models on {len(suite.tasks)} tasks")


if __name__ == "__main__":
    stage.run(main)
