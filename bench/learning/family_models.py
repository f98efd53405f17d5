"""Generic stress models that never saw a person, in the runtime, by how frozen weights are stored."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.learning.family_ways import Stored
from bench.learning.reweigh import reweighted
from bench.learning.way_process import opened
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.tflite import TfliteModel
from firmware_host.signals.stress import FEATURE_NAMES
from training.stress.detector import Detector, StressThresholds
from training.stress.generic_models import Generic


class Generics:
    """One model a detector and way of storing, each made once.

    One file is converted; the others are that file with other weights, all as floats: a file that
    stores them in fewer bits computes the same.
    """

    def __init__(self, *, seed: int) -> None:
        from models.stress import StressNet, random_weights
        from training.bundle.tflite_file import convert

        self._seed = seed
        rng = np.random.default_rng(seed)
        weights = random_weights(rng, len(FEATURE_NAMES))
        # No two arrays alike, and none zero that is not in every network.
        biases = {name: getattr(weights, name) for name in ("dense1_b", "dense2_b", "head_b")}
        drawn = {n: rng.normal(size=v.shape).astype(np.float32) for n, v in biases.items()}
        self._base = replace(weights, **drawn)
        self._content = convert(StressNet(self._base), storage="float32")
        self._made: dict[tuple[int, Stored], Generic] = {}

    def of(self, detector: Detector, stored: Stored) -> Generic:
        """The detector's network behind the host's seam, at its generic weights."""
        key = (id(detector), stored)
        if key not in self._made:
            model = self._model(detector, stored)
            self._made[key] = Generic(model, detector.spread, StressThresholds())
        return self._made[key]

    def _model(self, detector: Detector, stored: Stored) -> SignatureModel:
        from training.bundle.rounding import rounded_weights
        from training.bundle.split import STRESS_FILE, STRESS_INT8_FILE, stress_files
        from training.stress.artifacts import stress_weights

        rng = np.random.default_rng(self._seed)
        weights = stress_weights(detector.net.arrays(), rng)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            if stored == "split":
                for name, content in stress_files(rounded_weights(weights)).items():
                    (folder / name).write_bytes(content)
                return opened(folder / STRESS_FILE, folder / STRESS_INT8_FILE, "auto")
            arrays = rounded_weights(weights, stored).arrays()
            file = folder / "stress.tflite"
            file.write_bytes(reweighted(self._content, self._base.arrays(), arrays))
            return TfliteModel(file)
