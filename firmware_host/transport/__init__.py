"""Bytes in, bytes out: serial lines, TCP, an in-process pair, the simulator."""
