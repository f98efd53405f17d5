"""Chips at register level: what a driver sees on the bus. Plain Python that MicroPython runs too."""
