"""What time does to what was learned of a wearer, and what following it costs."""
