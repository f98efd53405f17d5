"""Bootloaders as flashing programs meet them."""
