"""The SARL paper's Tables I-IV (arXiv 2512.01908), as CSV."""
