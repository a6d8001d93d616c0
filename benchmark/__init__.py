"""The runner: who is crossed with whom, in which order, and where the results go."""
