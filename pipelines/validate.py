"""validate: the parts that were checked -> one page, results/validation.md and .json."""

import json

from benchmark.files import write_json, write_text
from benchmark.validation import page
from pipelines import stage

PARTS = ("simulations", "transport", "views", "terms", "statistics")


def main() -> None:
    folder = stage.RESULTS / "validation"
    sections = {part: page.Section(**json.loads((folder / f"{part}.json").read_text())) for part in PARTS}
    write_text(stage.RESULTS / "validation.md", page.markdown(sections))
    write_json(stage.RESULTS / "validation.json", page.content(sections))
    print(f"results/validation.md: {sum(len(section.rows) for section in sections.values())} rows")


if __name__ == "__main__":
    stage.run(main)
