"""The SSL objectives: how a representation is learnt from images without labels.

`BUILTIN` is read by the same registry that reads the entry points of plugins, as text: nothing
here imports torch, so listing the methods is instant.
"""

from __future__ import annotations

BUILTIN: dict[str, str] = {
    "sarl": "vtbench.methods.sarl:SARL",
    "simclr": "vtbench.methods.simclr:SimCLR",
    "byol": "vtbench.methods.byol:BYOL",
    "simsiam": "vtbench.methods.simsiam:SimSiam",
    "barlow_twins": "vtbench.methods.barlow_twins:BarlowTwins",
    "vicreg": "vtbench.methods.vicreg:VICReg",
    "swav": "vtbench.methods.swav:SwAV",
    "minc": "vtbench.methods.minc:MINC",
    "cplearn": "vtbench.methods.cplearn:CPLearn",
    "densecl": "vtbench.methods.densecl:DenseCL",
}

#: Short names for settings of a method that are rows of their own: name -> (spec, row title).
PRESETS: dict[str, tuple[str, str]] = {
    "sarl_global": ("sarl:sal=0:ppda=0:ram=0", "SARL, λ = 0"),
    # Maps are compared where both views show the same, cells where the network centres them.
    "sarl_fixed": (
        "sarl:cell_centres=stride:ppda_region=overlap:ram_correspondence=resample:ram_grid=7"
        ":sal_padding=border:sal_region=overlap",
        "SARL, corrected",
    ),
}
