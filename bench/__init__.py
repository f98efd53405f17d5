"""Measurements of this machine: sizes, memory and time, the latter also as a ratio against a peer."""
