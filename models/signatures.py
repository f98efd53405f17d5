"""Names and shapes of the exported functions: plain tables, shared by both networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

Shapes = Mapping[str, tuple[int, ...]]

# One static batch: fewer ops and a fixed arena; a shorter batch is padded with weight 0.
TRAIN_BATCH = 16
# Rows that `accumulate` takes at a time: see docs/studies/learning.md for what each size costs.
MICRO_BATCH = 8
# Pairs of windows that `prefer` takes at a time: as many windows as a batch.
PREFERENCE_PAIRS = TRAIN_BATCH // 2
# Learning rates travel as one vector so that a group is switched off by its zero.
LEARNING_RATE_GROUPS = ("bias", "head", "lora")
MOMENTUM_PREFIX = "momentum_"

_STEP: Shapes = {"lr": (len(LEARNING_RATE_GROUPS),), "anchor": (1,)}


@dataclass(frozen=True)
class SignatureShapes:
    """Inputs and outputs of one exported function, name -> shape; all are float32."""

    inputs: Shapes
    outputs: Shapes


def n_trainables(adapter: Shapes) -> int:
    """How many numbers learning may move."""
    return sum(prod(shape) for shape in adapter.values())


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


def batch_signatures(
    data: Mapping[str, int], n_labels: int, adapter: Shapes, *, shared: Shapes | None = None
) -> dict[str, SignatureShapes]:
    """Signatures over labelled rows; `data` is the one data input, name -> n_features.

    `shared` are inputs that one row stands for: name -> (1, n).
    """

    def rows(n: int) -> dict[str, tuple[int, ...]]:
        given = {name: (n, n_features) for name, n_features in data.items()}
        return {**given, "y": (n, n_labels), "weight": (n,), **(shared or {})}

    labelled, loss = rows(TRAIN_BATCH), {"loss": (1,)}
    mezo = {"noise": (n_trainables(adapter),), "epsilon": (1,), **_STEP}
    return {
        "evaluate": SignatureShapes(labelled, {**loss, "probs": (TRAIN_BATCH, n_labels)}),
        "train": SignatureShapes({**labelled, **_STEP}, loss),
        "accumulate": SignatureShapes(rows(MICRO_BATCH), loss),
        "apply": SignatureShapes(_STEP, {"norm": (1,)}),
        "train_mezo": SignatureShapes(
            {**labelled, **mezo}, {"loss_plus": (1,), "loss_minus": (1,)}
        ),
    }


def stress_signatures(n_features: int, adapter: Shapes) -> dict[str, SignatureShapes]:
    """Every exported function of the stress network."""
    infer = SignatureShapes({"x": (1, n_features)}, {"logits": (1, 2), "probs": (1, 2)})
    windows, pairs = (PREFERENCE_PAIRS, n_features), (PREFERENCE_PAIRS,)
    prefer = SignatureShapes(
        {"more": windows, "less": windows, "weight": pairs, "beta": (1,), **_STEP},
        {"loss": (1,), "margin": pairs},
    )
    batch = batch_signatures({"x": n_features}, 2, adapter)
    return {"infer": infer, **batch, "prefer": prefer, **adapter_signatures(adapter)}
