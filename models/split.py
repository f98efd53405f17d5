"""Both networks cut in two: frozen layers that an int8 accelerator can run, and the rest in float.

What is cut off has no trainables, so nothing that learning moves is ever quantised. A function of
the second part takes what the first made of its input `x` as an input `x_hidden` beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from models import backward, lora
from models.gait import GaitNet, GaitWeights
from models.gait_gate import N_CHANNELS, N_SAMPLES, feature_maps, logits_of_maps
from models.signatures import SignatureShapes, stress_signatures
from models.stress import GROUPS, StressNet, StressWeights
from models.trainable import Values

Tensor = tf.Tensor

Layers = Callable[[Tensor], Tensor]

HIDDEN = "_hidden"
PREPARE = "prepare_"
_HEAD = ("head_w", "head_b")


class StressHeadNet(StressNet):
    """The stress network without low-rank factors: both dense layers are frozen, the head learns.

    With `layers`, they compute what the frozen layers would.
    """

    def __init__(self, weights: StressWeights, layers: Layers | None = None) -> None:
        super().__init__(weights)
        self._layers = layers or self.hidden
        generic = {name: weights.arrays()[name] for name in _HEAD}
        self.adapter = lora.AdapterState(generic, {name: GROUPS[name] for name in _HEAD})

    def hidden(self, x: Tensor) -> Tensor:
        """(N, 16) of the frozen layers, from x (N, F)."""
        f = self._frozen
        h1 = tf.nn.relu(tf.matmul(x, f["dense1_w"], transpose_b=True) + f["dense1_b"])
        return tf.nn.relu(tf.matmul(h1, f["dense2_w"], transpose_b=True) + f["dense2_b"])

    def logits(self, values: Values, *, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, 2), rest first."""
        return self._head(values, tf.concat([self._layers(x), x], axis=1))

    def _head(self, values: Values, skip: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = tf.matmul(skip, values["head_w"], transpose_b=True) + values["head_b"]
        return logits, {"skip": skip}

    def gradients(self, kept: Mapping[str, Tensor], d_logits: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss by the head, from the gradient by the logits (N, 2)."""
        d_head_w, d_head_b = backward.head_backward(kept["skip"], d_logits)
        return {"head_w": d_head_w, "head_b": d_head_b}


class StressTail(StressHeadNet):
    """What is left of it when the frozen layers run elsewhere."""

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        whole = stress_signatures(self._n_features, self.adapter.shapes)
        return {name: _with_hidden(one, ("x", "more", "less"), (self._n_hidden,))
                for name, one in whole.items()}  # fmt: skip

    def logits(
        self, values: Values, *, x: Tensor, x_hidden: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, 2); without `x_hidden`, x (N, 16 + F) has it in front."""
        return self._head(values, x if x_hidden is None else tf.concat([x_hidden, x], axis=1))

    def infer(self, x: Tensor, x_hidden: Tensor) -> dict[str, Tensor]:
        """Logits and probabilities of one window, rest first."""
        return super().infer(tf.concat([x_hidden, x], axis=1))

    def prefer(
        self, more: Tensor, more_hidden: Tensor, less: Tensor, less_hidden: Tensor, **rest: Tensor
    ) -> dict[str, Tensor]:
        """As the whole network's."""
        joined = (tf.concat(pair, axis=1) for pair in ((more_hidden, more), (less_hidden, less)))
        return super().prefer(*joined, **rest)


class GaitTail(GaitNet):
    """The gait network when the gate's convolutions run elsewhere.

    Telling people apart stays here: it is one matrix of 24 directions, and what int8 does to it
    would go straight into the embedding.
    """

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        whole = dict(super().signatures)
        channels = {"imu": (1, N_SAMPLES, N_CHANNELS)}
        maps = tuple(self.hidden(tf.zeros(self.prepared(tf.zeros(channels["imu"])).shape)).shape)
        whole["infer"] = _with_hidden(whole["infer"], ("imu",), maps[1:])
        prepared = {"imu": (1, 1, N_SAMPLES, N_CHANNELS)}
        return {**whole, f"{PREPARE}imu": SignatureShapes(channels, prepared)}

    def hidden(self, imu: Tensor) -> Tensor:
        """(1, 1, 13, 64) of the gate's convolutions, from what `prepared` gives."""
        return feature_maps(imu, self._weights.gate)

    def prepared(self, imu: Tensor) -> Tensor:
        """(1, 1, 100, 6) standardised channels: sensors of different units in one int8 scale."""
        w = self._weights
        return tf.reshape((imu - w.gate_center) / w.gate_scale, [-1, 1, N_SAMPLES, N_CHANNELS])

    def prepare_imu(self, imu: Tensor) -> dict[str, Tensor]:
        """What the convolutions are to be given for a window (1, 100, 6)."""
        return {"imu": self.prepared(imu)}

    def infer(self, imu: Tensor, imu_hidden: Tensor) -> dict[str, Tensor]:
        """Activity of one window (1, 100, 6) at 20 Hz in SI units."""
        logits = logits_of_maps(imu_hidden, self.prepared(imu), self._weights.gate)
        return {"activity_logits": logits, "activity_probs": tf.nn.softmax(logits)}


class GaitInTwo(GaitTail):
    """Both parts together, the convolutions computed by `layers`."""

    def __init__(self, weights: GaitWeights, layers: Layers) -> None:
        super().__init__(weights)
        self._layers = layers

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the functions of the whole network."""
        return GaitNet(self.weights).signatures

    def infer(self, imu: Tensor) -> dict[str, Tensor]:
        """Activity of one window (1, 100, 6) at 20 Hz in SI units."""
        return super().infer(imu, self._layers(self.prepared(imu)))


def _with_hidden(
    whole: SignatureShapes, names: tuple[str, ...], shape: tuple[int, ...]
) -> SignatureShapes:
    added = {f"{n}{HIDDEN}": (whole.inputs[n][0], *shape) for n in names if n in whole.inputs}
    return SignatureShapes({**whole.inputs, **added}, whole.outputs)
