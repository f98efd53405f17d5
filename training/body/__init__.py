"""The simulated wearer held against real recordings, through the same measures."""
