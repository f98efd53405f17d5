"""Trained arrays to a checked bundle folder: TFLite files, contract, card, golden numbers."""
