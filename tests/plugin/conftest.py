"""The plugin's own tests are run by `test_plugin.py`, where it is installed."""

collect_ignore = ["project"]
