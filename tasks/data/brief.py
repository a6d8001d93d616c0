"""A few lines on what a pack holds, for the end of an import or a rendering."""

from __future__ import annotations

import numpy as np

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column


def brief(pack: Pack) -> list[str]:
    """Title, splits, ranges of labels and tasks, a line each."""
    said = pack.source == "simulated" and "simulated" in pack.title.lower()
    facts = [] if said else [f"{pack.source} data"]
    facts += [f"pack {pack.name}", f"sensors {', '.join(pack.sensors)}"]
    lines = [f"{pack.title} ({', '.join(facts)})"]
    for name in pack.datasets:
        data = pack.dataset(name, pack.sensors[0])
        _, height, width, channels = data.images.shape
        splits = ", ".join(f"{split} {len(rows):,}" for split, rows in data.splits.items())
        lines.append(f"  {name}: {width} x {height} x {channels} pixels; {splits}")
        lines += [
            f"    {column}: {_extent(info, data.columns[column])}"
            for column, info in data.info.items()
        ]
    lines.append(f"  tasks: {', '.join(pack.tasks) or 'none'}")
    return lines + [f"  {file} has been edited since the pack was made" for file in pack.edited()]


def _extent(info: Column, values: np.ndarray) -> str:
    if info.classes is not None:
        return f"{len(info.classes)} classes"
    unit = f" {info.unit}" if info.unit else ""
    period = f", wraps at {info.period:g}" if info.period else ""
    return f"{values.min():.3g} to {values.max():.3g}{unit}{period}"
