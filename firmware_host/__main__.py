"""``python -m firmware_host`` and the ``signet`` command."""

from __future__ import annotations

import os
import sys

# One small matrix product at a time: a thread pool would cost memory and heat, and gain nothing.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from firmware_host.cli.main import main  # noqa: E402  numpy must not be imported before

if __name__ == "__main__":
    sys.exit(main())
