"""Where the images of known sensors lie, one file each; `vtbench.tasks.data.layout` reads them."""
