"""validate: simulations, identities and real data whose outcome is known -> results/validation.md and .json."""

from benchmark import train
from benchmark.files import write_json
from benchmark.params import Method
from benchmark.validation import page, simulations, transport, views
from pipelines import stage


def main() -> None:
    params = stage.params()
    entries = stage.planned("validation")["methods"]
    methods = {
        name: Method.model_validate({key: value for key, value in entry.items() if key != "digests"})
        for name, entry in entries.items()
    }
    sections = {
        "simulations": simulations.section(params.validation.repetitions),
        "transport": transport.section(),
        "views": views.section(methods, params.training, params.evaluation, train.device(params.runtime.device)),
    }
    (stage.RESULTS / "validation.md").write_text(page.markdown(sections))
    write_json(stage.RESULTS / "validation.json", page.content(sections))
    print(f"results/validation.md: {sum(len(section.rows) for section in sections.values())} rows")


if __name__ == "__main__":
    stage.run(main)
