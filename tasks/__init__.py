"""What a frozen encoder is asked, and on which images.

The tables are read as text by the registry, through the same door as the entry points of
plugins; nothing here imports torch.
"""

from __future__ import annotations

BUILTIN: dict[str, str] = {
    "shape": "vtbench.tasks.shape:Shape",
    "grating": "vtbench.tasks.grating:Grating",
    "material": "vtbench.tasks.material:Material",
    "force": "vtbench.tasks.force:Force",
    "contact_point": "vtbench.tasks.contact_point:ContactPoint",
    "edge_pose": "vtbench.tasks.edge_pose:EdgePose",
}

BUILTIN_DATASETS: dict[str, str] = {
    "vitactip-sim": "vtbench.tasks.simulator.packs:ViTacTipSim",
    "tactip-sim": "vtbench.tasks.simulator.packs:TacTipSim",
    "vitac-sim": "vtbench.tasks.simulator.packs:ViTacSim",
    "magictac-t-sim": "vtbench.tasks.simulator.packs:MagicTacTSim",
    "magictac-d-sim": "vtbench.tasks.simulator.packs:MagicTacDSim",
    "gelsight-sim": "vtbench.tasks.simulator.packs:GelSightSim",
    "pnutac-sim": "vtbench.tasks.simulator.packs:PnuTacSim",
}

#: What encoders that were trained on simulated data are transferred to, unless other data is named.
TRANSFER_DATASETS = ("magictac-t-sim", "magictac-d-sim", "gelsight-sim", "pnutac-sim")
