"""What the long tests did, and what came of it: results/soak.json, and the same as a page."""

import json
from pathlib import Path

from benchmark.files import write_json, write_text

RESULTS = Path(__file__).parents[2] / "results"


def report(part: str, lines: dict[str, dict]) -> None:
    """Put a part in the place of what the page held of it. lines: what was done -> {column: value}."""
    path = RESULTS / "soak.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    held[part] = lines
    held = dict(sorted(held.items()))
    write_json(path, held)
    write_text(RESULTS / "soak.md", markdown(held))


def markdown(held: dict[str, dict[str, dict]]) -> str:
    text = "# What `make soak` did\n"
    for part, lines in held.items():
        columns = list(dict.fromkeys(name for line in lines.values() for name in line))
        rows = [[what, *(shown(line.get(name, "")) for name in columns)] for what, line in lines.items()]
        table = [["", *columns], ["---"] * (1 + len(columns)), *rows]
        text += f"\n## {part}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in table)
    return text


def shown(value) -> str:
    """A value of a column; lists and tables in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(own)}" for name, own in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|").replace("\n", " ")
