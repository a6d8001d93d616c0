"""The shipped sweeps, as YAML."""
