"""Signet: a privacy-first wearable runtime that learns one wearer's signatures on the host."""

__version__ = "0.3.0"
