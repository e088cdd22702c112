"""Tables as Markdown, LaTeX and CSV."""

import csv
import io

from benchmark.report.tables import Cell, Table, spanning

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
}


def markdown(table: Table) -> list[str]:
    """Lines of a table."""
    lines = [f"| {' | '.join(table.head)} |", f"|{'---|' * len(table.head)}"]
    for row in table.rows:
        cells = [f"**{cell.text}**" if cell.strong else cell.text.replace("|", "/") for cell in row]
        while len(cells) > 2 and row[1].why and not cells[-1]:
            cells.pop()
        empty = " |" * (len(table.head) - len(cells))
        lines.append(f"| {' | '.join(cells)} |{empty}")
    return lines


def escaped(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def latex(table: Table, caption: str) -> str:
    """A table environment for `booktabs`; strong cells are bold, a reason runs over the row."""
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{escaped(caption)}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        "\\toprule",
        f"{' & '.join(map(escaped, table.head))} \\\\",
        "\\midrule",
        *(f"{' & '.join(set_row(row))} \\\\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def set_row(row: list[Cell]) -> list[str]:
    cells = [f"\\textbf{{{escaped(cell.text)}}}" if cell.strong else escaped(cell.text) for cell in row]
    if spanning(row):
        return [cells[0], f"\\multicolumn{{{len(row) - 1}}}{{l}}{{{cells[1]}}}"]
    return cells


def comma_separated(table: Table) -> str:
    """CSV with a head line; a cell without a value says why."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(table.head)
    for row in table.rows:
        lines.writerow([f"{c.text}: {c.why}" if c.why and c.why not in c.text else c.text for c in row])
    return file.getvalue()
