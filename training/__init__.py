"""Training, export and evaluation; needs TensorFlow and the recordings, never runs on the host."""
