"""Learning on the device against its peers, and its ways against each other."""
