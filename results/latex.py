"""Tables as LaTeX: a `table*` with booktabs rules, ready for a paper of two columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from vtbench.results import marks
from vtbench.results.cells import Cell, Column, Row
from vtbench.results.tables import Table

#: What TeX gives a meaning to, and what its standard fonts lack. A brace pair keeps brackets and
#: stars from being read as options of the line break before them.
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "•": r"\textbullet{}",
}
_MATH = {
    "±": r"\pm", "×": r"\times", "·": r"\cdot", "−": "-", "≈": r"\approx", "≤": r"\leq",
    "≥": r"\geq", "≠": r"\neq", "→": r"\rightarrow", "↑": r"\uparrow", "↓": r"\downarrow",
    "∞": r"\infty", "√": r"\surd", "°": r"{}^{\circ}", "¹": "{}^{1}", "²": "{}^{2}",
    "³": "{}^{3}", "†": r"\dagger", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma",
    "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta", "κ": r"\kappa",
    "λ": r"\lambda", "μ": r"\mu", "µ": r"\mu", "ν": r"\nu", "π": r"\pi", "ρ": r"\rho",
    "σ": r"\sigma", "τ": r"\tau", "φ": r"\varphi", "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega",
    "Δ": r"\Delta", "Σ": r"\Sigma", "Ω": r"\Omega",
}  # fmt: skip
_ESCAPES = _SPECIAL | {char: f"${code}$" for char, code in _MATH.items()}

_MARKS = {
    marks.BEST: "1", marks.SECOND: "2", marks.THIRD: "3", marks.TIED: r"\approx",
    marks.SINGLE: r"\circ", marks.STALE: r"\dagger", marks.UNDECIDED: "?",
}  # fmt: skip


def to_latex(table: Table, protocol: Sequence[str] = ()) -> str:
    """The whole table as a LaTeX `table*`, for \\input, which numbers it by itself.

    The best is bold and what is tied with it underlined; the marks are those of every rendering.
    The caption names the data and the seeds; below stand the notes and, in sentences, the protocol.
    What is wider than the page is made smaller.
    Letters beyond Latin and Greek need XeLaTeX or LuaLaTeX and a font that has them.
    """
    columns = "l" + "r" * len(table.columns)
    title = re.sub(r"^Table [IVX]+: |, [A-Z]+ data$", "", table.title)
    title = title[:1].upper() + title[1:]
    lines = [
        r"% Needs \usepackage{booktabs,graphicx}",
        f"% {marks.printable(table.title)}",
        r"\begin{table*}",
        r"\centering",
        f"\\caption{{{escape(title)}. {escape(table.facts.sentence)}}}",
        r"\smallskip",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"\\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *_header(table),
        *_body(table),
        r"\bottomrule",
        r"\end{tabular}}",
        *_footnotes(table.notes, protocol),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escape(words: str) -> str:
    """Words of unknown origin as LaTeX that prints them, on one line.

    >>> print(escape("50 % of λ_1 -- [a & b]"))
    50 \\% of $\\lambda$\\_1 -{}- {[}a \\& b{]}
    """
    # Two hyphens, commas or quotes would become one character.
    apart = re.sub(r"([-,'])(?=\1)", "\\1\0", marks.printable(words))
    apart = re.sub(r"([?!])(?=`)", "\\1\0", apart)
    return "".join(_ESCAPES.get(char, char) for char in apart).replace("\0", "{}")


def _header(table: Table) -> list[str]:
    """Task over metric, with a rule below each task."""
    if not table.columns:
        return [f"{table.row_heading} \\\\", r"\midrule"]
    tasks, rules, start = [], [], 2
    for title, found in groupby(table.columns, lambda column: column.task_title):
        count = len(list(found))
        tasks.append(f"\\multicolumn{{{count}}}{{c}}{{{escape(title)}}}")
        rules.append(f"\\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    metrics = [escape(marks.header(column)) for column in table.columns]
    return [_line(["", *tasks]), " ".join(rules), _line([table.row_heading, *metrics]), r"\midrule"]


def _body(table: Table) -> Iterator[str]:
    for number, (_, rows) in enumerate(groupby(table.rows, lambda row: row.role)):
        if number:
            yield r"\midrule"
        yield from (_line([escape(row.title), *_cells(row, table)]) for row in rows)


def _cells(row: Row, table: Table) -> Iterator[str]:
    for cell, column in zip(row.cells, table.columns, strict=True):
        yield " ".join([_number(cell, column), *_details(cell, column)])


def _number(cell: Cell, column: Column) -> str:
    shown = escape(marks.number(cell, column))
    if cell.mean is None:
        return shown if cell.status == "missing" else f"\\textit{{{shown}}}"
    command = {"best": r"\textbf", "tied": r"\underline"}.get(cell.verdict or "")
    styled = f"{command}{{{shown}}}" if command else shown
    raised = "".join(_MARKS[mark] for mark in marks.mark(cell))
    return f"{styled}$^{{{raised}}}$" if raised else styled


def _details(cell: Cell, column: Column) -> list[str]:
    return [f"{{\\scriptsize {escape(part)}}}" for part in marks.details(cell, column)]


def _footnotes(notes: Sequence[str], protocol: Sequence[str]) -> list[str]:
    """The notes, a paragraph each, and the protocol as one paragraph, below the table."""
    paragraphs = [f"{escape(note)}\\par" for note in notes]
    if protocol:
        sentences = " ".join(f"{line[:1].upper()}{line[1:].rstrip('.')}." for line in protocol)
        paragraphs.append(f"\\textit{{Protocol.}} {escape(sentences)}\\par")
    if not paragraphs:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
        *paragraphs,
        r"\end{minipage}",
    ]


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
