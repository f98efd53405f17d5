"""Messages become samples on one clock: gaps are written down, never interpolated over."""
