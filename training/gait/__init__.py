"""The gait model: windows, activity gate, identity, evaluation."""
