"""What was found: records in, tables out. Never imports torch."""
