"""The board's own app on the official MicroPython build, worn by a simulated or recorded body."""
