"""``python -m training``."""

from __future__ import annotations

import os
import sys

# Small matrices: a pool of threads costs more than it gives, and one thread sums in one order.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The same sums in the same order on every run.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from training.cli import main  # noqa: E402  both read the settings above when first imported

if __name__ == "__main__":
    sys.exit(main())
