"""The LaTeX of a table compiles, whatever its titles and notes hold."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.results.latex import escape, to_latex
from vtbench.results.tables import tabulate

NASTY = (
    r"""[1ex] * a_b & 50 % #1 $x$ ^~ \input{x} {} "quoted" `code` <b> | -- --- ,, ''  ?` !` λ ≈"""
)
PAGE = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def table(make_record):
    """A table of the paper's width with every kind of cell and hostile words everywhere."""
    records = [
        make_record(
            method, task, seed, scores, method_title=f"{NASTY} {method}", task_title=NASTY,
            notes=(NASTY,),
        )
        for method, offset in {"sarl": 0.0, "byol": 0.5, "simclr": 30.0, "raw": 1.0}.items()
        for task in ("shape", "grating", "force")
        for seed in range(3)
        for value in [90.0 - offset - seed / 7]
        for scores in [
            {"mae": value, "mae_x": 1.0} if task == "force" else {"top1": value, "top5": 99.0}
        ]
    ]  # fmt: skip
    records += [
        make_record("minc", "shape", 0, {"top1": 1.0}),
        make_record("minc", "force", 0, error=NASTY),
    ]
    return tabulate(records, published=True)


def unescaped(latex):
    """What is left of escaped words without the commands and characters that escaping makes."""
    without = re.sub(r"\\[A-Za-z]+|\\[{}$&#%_]|\{[][*]\}", "", latex)
    return re.sub(r"\$[^$]*\$", "", without)


@given(st.text() | st.text(alphabet=NASTY))
def test_words_of_any_kind_are_escaped_to_one_line(words):
    made = escape(words)

    assert not set('\\$&#%_^~<>|"[]*') & set(unescaped(made))
    assert balanced(made)
    assert made.isprintable()


def test_characters_that_tex_would_join_are_kept_apart():
    assert escape("--out --- ,, ''") == "-{}-out -{}-{}- ,{}, '{}'"
    assert escape("?`!`") == r"?{}\textasciigrave{}!{}\textasciigrave{}"
    assert escape("1–2 “a” …") == r"1--2 ``a'' \ldots{}"


def balanced(latex):
    depth = 0
    for char in re.sub(r"\\[\\{}]", "", latex):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0


def test_a_table_is_balanced_and_its_rows_have_a_cell_for_each_column(table):
    latex = to_latex(table)
    body = latex[latex.index(r"\begin{tabular}") : latex.index(r"\end{tabular}")]
    opened = re.findall(r"\\begin\{([^}]*)\}", latex)
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]

    assert balanced(re.sub("(?m)^%.*$", "", latex))
    assert sorted(opened) == sorted(re.findall(r"\\end\{([^}]*)\}", latex))
    assert sorted(opened) == ["minipage", "table*", "tabular"]
    assert len(rows) == len(table.rows) + 2
    assert all(
        len(re.findall(r"(?<!\\)&", row)) == len(table.columns) for row in rows[1:]
    )  # fmt: skip
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-5} \cmidrule(lr){6-6}" in body


def test_caption_rules_units_and_arrows(make_record):
    records = [make_record("sarl", task, 0, s) for task, s in
               {"shape": {"top1": 1.0}, "force": {"mae": 2.0, "mae_x": 3.0}}.items()]  # fmt: skip
    latex = to_latex(tabulate(records, per_axis=True))

    assert latex.startswith("% Needs \\usepackage{booktabs,graphicx}\n")
    assert (
        r"\caption{Linear probes on frozen encoders. SIMULATED data: ViTacTip simulator " in latex
    )
    assert r"Method & Top-1 (\%) $\uparrow$ & Top-5 (\%) $\uparrow$ & Avg. MAE $\downarrow$ & x (mm)" in latex  # fmt: skip  # noqa: E501
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in latex
    assert r"${}^{\circ}$ one seed (n = 1): nothing is claimed" in latex


def test_notes_and_protocol_stand_below_the_table(make_record):
    table = tabulate([make_record("sarl", "shape", 0, {"top1": 1.0})])
    latex = to_latex(table, ["ResNet-18 of width 16", "50 % of\nlabels"])
    below = latex.partition(r"\end{tabular}")[2]

    assert r"\textit{Protocol.} ResNet-18 of width 16. 50 \% of labels.\par" in below
    assert "nothing is claimed" in below
    assert "Seed 0." in latex.partition(r"\begin{tabular}")[0]
    assert "Protocol" not in to_latex(table)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_table_compiles(table, tmp_path):
    latex = to_latex(table, ["50 % of\nlabels", NASTY])
    (tmp_path / "page.tex").write_text(PAGE.replace("%s", latex), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").exists()
    assert "Missing character" not in done.stdout
    assert "Overfull" not in done.stdout
