"""Figures of what a store holds, for print and screen. matplotlib is imported when one is drawn."""

from __future__ import annotations

#: Every figure, in the order of `bench figure all`: name -> what it shows.
FIGURES: dict[str, str] = {
    "samples": "images of every task with their labels",
    "bars": "every column of the tables as bars with intervals",
    "edge_axes": "the error of edge pose by axis (the paper's Figure 4)",
    "ranks": "average ranks with their critical difference",
    "cost": "scores against the time that pre-training took",
    "curves": "loss terms and signs of collapse during pre-training",
    "embedding": "test features as a map (t-SNE)",
    "scatter": "true and predicted value of every axis of the regressions",
    "confusion": "which classes are taken for which",
    "ablation": "Tables III and IV as heat maps",
    "sarl_maps": "saliency and parts in two views of an image",
    "spatial": "how well maps follow a movement of the image (`bench diagnose`)",
}
