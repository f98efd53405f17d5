"""Names and shapes of the exported functions: plain tables, shared by both networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]

# One static batch: fewer ops and a fixed arena; a shorter batch is padded with weight 0.
TRAIN_BATCH = 16
# Learning rates travel as one vector so that a group is switched off by its zero.
LEARNING_RATE_GROUPS = ("bias", "head", "lora")
MOMENTUM_PREFIX = "momentum_"


@dataclass(frozen=True)
class SignatureShapes:
    """Inputs and outputs of one exported function, name -> shape; all are float32."""

    inputs: Shapes
    outputs: Shapes


def with_momentum(adapter: Shapes) -> dict[str, tuple[int, ...]]:
    """Shapes of everything `get_adapter` gives: each trainable and its momentum."""
    return {**adapter, **{MOMENTUM_PREFIX + name: shape for name, shape in adapter.items()}}


def adapter_signatures(adapter: Shapes) -> dict[str, SignatureShapes]:
    """Signatures that read and write the trainable state."""
    state = with_momentum(adapter)
    return {
        "get_adapter": SignatureShapes({}, state),
        "set_adapter": SignatureShapes(state, {"ok": (1,)}),
        "reset": SignatureShapes({}, {"ok": (1,)}),
    }


def batch_signatures(data: Shapes, n_labels: int) -> dict[str, SignatureShapes]:
    """Signatures over a batch of 16; `data` is the one data input, name -> (16, n_features)."""
    labelled = {**data, "y": (TRAIN_BATCH, n_labels), "weight": (TRAIN_BATCH,)}
    probs = (TRAIN_BATCH, n_labels)
    return {
        "evaluate": SignatureShapes(labelled, {"loss": (1,), "probs": probs}),
        "train": SignatureShapes({**labelled, "lr": (3,), "anchor": (1,)}, {"loss": (1,)}),
    }


def stress_signatures(n_features: int, adapter: Shapes) -> dict[str, SignatureShapes]:
    """Every exported function of the stress network."""
    infer = SignatureShapes({"x": (1, n_features)}, {"logits": (1, 2), "probs": (1, 2)})
    batch = batch_signatures({"x": (TRAIN_BATCH, n_features)}, 2)
    return {"infer": infer, **batch, **adapter_signatures(adapter)}
