"""How fast the parts are: both sides of every ratio are measured in one run, in turns."""
