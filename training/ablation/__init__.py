"""What each part of the recipes is worth: one change at a time, everything else as it ships."""
