"""Skin conductance on a 16-bit converter."""

FULL_SCALE_USIEMENS = 60.0
USIEMENS_PER_COUNT = FULL_SCALE_USIEMENS / 65535
