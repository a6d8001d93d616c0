"""The numbers of the paper's Tables I-IV, keyed by the specs of our rows.

SARL, arXiv 2512.01908. They were measured on the real ViTacTip data.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from vtbench.results.errors import ResultsError

#: The paper's name of a row -> our spec (Tables I to III) or our name of a sensor (Table IV).
ROWS: dict[str, str] = {
    "Supervised": "supervised",
    "SimCLR": "simclr",
    "BYOL": "byol",
    "SimSiam": "simsiam",
    "Barlow Twins": "barlow_twins",
    "VICReg": "vicreg",
    "SwaV": "swav",
    "MINC": "minc",
    "CPLearn": "cplearn",
    "DenseCL": "densecl",
    "SARL (ours)": "sarl",
    "+ SAL": "sarl:ppda=0:ram=0",
    "+ PPDA": "sarl:ram=0:sal=0",
    "+ RAM": "sarl:ppda=0:sal=0",
    "+ SAL + PPDA": "sarl:ram=0",
    "+ SAL + RAM": "sarl:ppda=0",
    "+ PPDA + RAM": "sarl:sal=0",
    "+ SAL + PPDA + RAM": "sarl",
    "TacTip": "tactip",
    "ViTac": "vitac",
    "ViTacTip": "vitactip",
}

#: The paper's tables by number.
NUMERALS = {1: "I", 2: "II", 3: "III", 4: "IV"}

#: (task, metric), e.g. ("edge_pose", "mae").
ColumnKey = tuple[str, str]


@cache
def published(number: int) -> Mapping[str, Mapping[ColumnKey, float]]:
    """The paper's table `number` (1 to 4), in its order: row -> {(task, metric): value}.

    A row is a method spec in Tables I to III (the ablations with their settings in alphabetical
    order) and a sensor in Table IV; the "tasks" of Table II are its transfer sets. Accuracies are
    percentages. Raises `ResultsError` for another number.
    """
    if number not in (1, 2, 3, 4):
        raise ResultsError(f"the paper has tables 1 to 4, not {number}")
    path = Path(__file__).with_name("published") / f"table_{number}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    keys = [column_key(column) for column in header[1:]]
    table = {
        ROWS[row[0]]: MappingProxyType(dict(zip(keys, map(float, row[1:]), strict=True)))
        for row in rows
    }
    return MappingProxyType(table)


def column_key(column: str) -> ColumnKey:
    """Task and metric of a column of the stored tables.

    >>> column_key("edge_pose_mae")
    ('edge_pose', 'mae')
    """
    task, _, metric = column.rpartition("_")
    return task, metric
