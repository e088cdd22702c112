"""check: one part of what is known beforehand, found again -> results/validation/<part>.json."""

from benchmark import train
from benchmark.files import write_json
from benchmark.params import Evaluation, Method, Training
from benchmark.validation import page, simulations, terms, transport, views
from pipelines import stage


def main(part: str) -> None:
    planned = stage.planned("validation", part)
    if part == "simulations":
        section = simulations.section(planned["repetitions"])
    elif part == "transport":
        section = transport.section()
    elif part == "terms":
        section = terms.section()
    else:
        section = real_views(planned)
    write_json(stage.RESULTS / "validation" / f"{part}.json", section._asdict())
    print("; ".join(filter(None, page.verdicts(section.rows))) or f"{part}: {len(section.rows)} rows")


def real_views(planned: dict):
    """Methods on real data, trained as the suite trains."""
    methods = {name: Method.model_validate(stage.without_digests(entry)) for name, entry in planned["methods"].items()}
    device = train.device(stage.params().runtime.device)
    return views.section(methods, Training(**planned["training"]), Evaluation(**planned["evaluation"]), device)


if __name__ == "__main__":
    stage.run(main)
