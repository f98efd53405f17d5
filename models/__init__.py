"""Network definitions (TensorFlow): used to train and to export, never on the host."""
