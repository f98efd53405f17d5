"""The exported functions that learn: the same for every network, over its own forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import tensorflow as tf

from models import backward, lora

Tensor = tf.Tensor
Values = Mapping[str, Tensor]


class Loss(Protocol):
    """Weighted loss (1,) of logits (N, C) and labels, and its gradient by the logits."""

    def __call__(self, logits: Tensor, y: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """`shares` (N, 1) is what each row counts."""
        ...


class TrainableNet(tf.Module):
    """A network with trainables, a loss and a backward derived by hand.

    Every function takes its data by the names that `logits` has, besides those it names itself.
    """

    adapter: lora.AdapterState
    loss: ClassVar[Loss]

    def logits(self, values: Values, **data: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, C) with these trainables, and the activations that the backward needs."""
        raise NotImplementedError

    def gradients(self, kept: Mapping[str, Tensor], d_logits: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss by every trainable, from the gradient by the logits (N, C)."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor) -> Tensor:
        """What `evaluate` gives as `probs`, (N, C)."""
        raise NotImplementedError

    def evaluate(self, *, y: Tensor, weight: Tensor, **data: Tensor) -> dict[str, Tensor]:
        """Weighted loss and probabilities of a batch; nothing changes."""
        logits, _ = self.logits(self.adapter.values, **data)
        loss, _ = self.loss(logits, y, backward.row_shares(weight))
        return {"loss": loss, "probs": self.probabilities(logits)}

    def train(
        self, *, y: Tensor, weight: Tensor, lr: Tensor, anchor: Tensor, **data: Tensor
    ) -> dict[str, Tensor]:
        """One momentum step; gives the data loss before the step, without the anchor's share."""
        loss, gradients = self._backward(y, backward.row_shares(weight), data)
        self.adapter.step(gradients, lr, anchor)
        return {"loss": loss}

    def accumulate(self, *, y: Tensor, weight: Tensor, **data: Tensor) -> dict[str, Tensor]:
        """Add the gradient of a few rows to the accumulators; gives their share of the loss.

        `weight` (m,) are shares of the whole batch, which only the caller sees in one piece.
        """
        loss, gradients = self._backward(y, tf.reshape(weight, [-1, 1]), data)
        self.adapter.accumulate(gradients)
        return {"loss": loss}

    def apply(self, *, lr: Tensor, anchor: Tensor) -> dict[str, Tensor]:
        """The step of `train` from what was accumulated, which is zero then; gives its norm."""
        return {"norm": self.adapter.apply(lr, anchor)}

    def train_mezo(
        self,
        *,
        y: Tensor,
        weight: Tensor,
        noise: Tensor,
        epsilon: Tensor,
        lr: Tensor,
        anchor: Tensor,
        **data: Tensor,
    ) -> dict[str, Tensor]:
        """One step along `noise` (P,), by the slope between two forwards; no backward.

        Without momentum: it is neither read nor written. A group with rate 0 is neither shaken nor
        moved.

        References
        ----------
        Malladi et al. 2023, Fine-tuning language models with just forward passes, algorithm 1.
        """
        shares = backward.row_shares(weight)
        direction = self.adapter.moving(noise, lr)

        def loss_at(shift: Tensor) -> Tensor:
            logits, _ = self.logits(self.adapter.shifted(direction, shift), **data)
            return self.loss(logits, y, shares)[0]

        plus = loss_at(epsilon)
        # Always `epsilon`, but known only after the first forward: the second one waits, and takes
        # over its memory.
        minus = loss_at(-(epsilon + tf.minimum(tf.abs(plus), 0.0)))
        slope = (plus - minus) / (2.0 * epsilon)
        self.adapter.descend({n: slope * d for n, d in direction.items()}, lr, anchor)
        return {"loss_plus": plus, "loss_minus": minus}

    def _backward(
        self, y: Tensor, shares: Tensor, data: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        logits, kept = self.logits(self.adapter.values, **data)
        loss, d_logits = self.loss(logits, y, shares)
        return loss, self.gradients(kept, d_logits)
