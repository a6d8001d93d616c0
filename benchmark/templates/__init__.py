"""The projects that `bench new` writes, as jinja2 templates."""
