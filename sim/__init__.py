"""Stand-ins for body, board and link, so that everything runs without hardware."""
