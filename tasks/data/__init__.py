"""Images and labels on disk: packs, their readers and importers."""
