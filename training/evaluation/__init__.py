"""What the evaluation of both tasks shares: figures over people, curves, files, pages."""
