"""Recordings: what a board said, with the times it arrived, and what the wearer was doing."""
