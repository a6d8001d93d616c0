"""A simulated visuo-tactile sensor and the six labelled sets it renders."""
