"""check: one part of what is known beforehand, found again -> results/validation/<part>.json."""

from benchmark import train
from benchmark.files import write_json
from benchmark.params import Evaluation, Training, planned
from benchmark.validation import page, simulations, statistics, terms, transport, views
from pipelines import stage


def main(part: str) -> None:
    entry = stage.planned("validation", part)
    if part == "simulations":
        section = simulations.section(entry["repetitions"])
    elif part == "statistics":
        section = statistics.section(entry["draws"])
    elif part == "transport":
        section = transport.section()
    elif part == "terms":
        section = terms.section()
    else:
        section = real_views(entry)
    write_json(stage.RESULTS / "validation" / f"{part}.json", section._asdict())
    print("; ".join(filter(None, page.verdicts(section.rows))) or f"{part}: {len(section.rows)} rows")


def real_views(entry: dict):
    """Methods on real data, trained as the suite trains."""
    methods = {name: planned(method) for name, method in entry["methods"].items()}
    device = train.device(stage.params().runtime.device)
    return views.section(methods, Training(**entry["training"]), Evaluation(**entry["evaluation"]), device)


if __name__ == "__main__":
    stage.run(main)
