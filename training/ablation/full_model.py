"""The stress network with every weight free to move: a reference that never ships.

Behind the host's model seam, so that the learner that ships trains it: the group of the low-rank
adapters stands for the two dense layers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import FloatArray
from training.numpy_model import NumpyModel
from training.stress.numpy_model import log_softmax, softmax_loss, stress_signatures

# Weight -> index of its learning rate: bias, head, everything else.
_RATE_IDX = {"head_b": 0, "head_w": 1, "w1": 2, "b1": 2, "w2": 2, "b2": 2}


class FullModel(NumpyModel):
    """All six arrays trained by momentum, in float64 inside.

    Parameters
    ----------
    arrays
        w1 (F, H1), b1, w2 (H1, H2), b2, head_w (H2 + F, 2), head_b (2,), matrices (in, out).
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        generic = {name: arrays[name] for name in _RATE_IDX}
        signatures = stress_signatures(len(arrays["w1"]), generic)
        super().__init__(generic, _RATE_IDX, signatures, dtype=np.float64)

    def _forward(self, x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        v = self._values
        h1 = np.maximum(x @ v["w1"] + v["b1"], 0.0)
        h2 = np.maximum(h1 @ v["w2"] + v["b2"], 0.0)
        return h1, h2, np.concatenate([h2, x], axis=1) @ v["head_w"] + v["head_b"]

    def _infer(self, x: FloatArray) -> dict[str, NDArray]:
        logits = self._forward(x.astype(np.float64))[2]
        return {"logits": logits, "probs": np.exp(log_softmax(logits))}

    def _evaluate(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, NDArray]:
        logits = self._forward(x.astype(np.float64))[2]
        return {"loss": softmax_loss(logits, y, weight)[0], "probs": np.exp(log_softmax(logits))}

    def _train(
        self, x: FloatArray, y: FloatArray, weight: FloatArray, lr: FloatArray, anchor: FloatArray
    ) -> dict[str, NDArray]:
        loss = self._evaluate(x, y, weight)["loss"]
        self._step(self.gradients(x, y, weight), lr, anchor)
        return {"loss": loss}

    def gradients(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, NDArray]:
        """Gradient of the weighted cross-entropy by every weight."""
        v, data = self._values, x.astype(np.float64)
        h1, h2, logits = self._forward(data)
        d_logits = softmax_loss(logits, y, weight)[1]
        d_h2 = (d_logits @ v["head_w"].T)[:, : h2.shape[1]] * (h2 > 0)
        d_h1 = (d_h2 @ v["w2"].T) * (h1 > 0)
        return {
            "head_b": d_logits.sum(axis=0),
            "head_w": np.concatenate([h2, data], axis=1).T @ d_logits,
            "w2": h1.T @ d_h2,
            "b2": d_h2.sum(axis=0),
            "w1": data.T @ d_h1,
            "b1": d_h1.sum(axis=0),
        }
