"""Fit the generic stress network with numpy: first its linear part, then the hidden part.

logits = head(concat[relu(dense2 relu(dense1 z)), z]), 26 -> 32 -> 16. The linear skip alone is a
logistic regression, which carries over between datasets better than anything larger; the hidden
part is fitted on top with the linear part held and strong shrinkage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Penalty and total weight of the pilot; between 0.05 and 3 the penalty makes no difference.
L2 = 0.3
TOTAL_WEIGHT = 30.0


@dataclass(frozen=True)
class TrainingSet:
    """Rows of many people: z (n, F), y (n,) 0/1, person (n,) number, weight (n,)."""

    z: FloatArray
    y: FloatArray
    weight: FloatArray


def training_set(parts: Sequence[tuple[NDArray, NDArray]]) -> TrainingSet:
    """Rows of (z, y) by person; each person and each class within a person weighs the same."""
    z = np.concatenate([p[0] for p in parts]).astype(np.float64)
    y = np.concatenate([p[1] for p in parts]).astype(np.float64)
    weight = np.concatenate([_class_weights(p[1]) for p in parts])
    return TrainingSet(z, y, TOTAL_WEIGHT * weight / weight.sum())


def _class_weights(y: NDArray) -> FloatArray:
    weight = np.zeros(len(y))
    for c in (0, 1):
        if (y == c).any():
            weight[y == c] = 0.5 / np.count_nonzero(y == c)
    return weight


def fit_linear(data: TrainingSet, *, l2: float = L2) -> FloatArray:
    """(F + 1,) weights and bias of a logistic regression, by Newton's method; bias unpenalised."""
    x = np.column_stack([data.z, np.ones(len(data.z))])
    penalty = np.full(x.shape[1], l2)
    penalty[-1] = 1e-6
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = sigmoid(x @ w)
        gradient = x.T @ (data.weight * (p - data.y)) + penalty * w
        hessian = (x * (data.weight * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        # Newton can overshoot far from the optimum; two units of logit per unit z is far enough.
        w -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return w


def sigmoid(x: FloatArray) -> FloatArray:
    """Logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class StressNet:
    """Weights of the deployed network, float64; matrices are (in, out).

    w1 (F, 32), b1 (32,), w2 (32, 16), b2 (16,), head_w (16 + F, 2), head_b (2,); logits are (rest,
    stress).
    """

    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: FloatArray
    head_w: FloatArray
    head_b: FloatArray

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Every array by name, as exported."""
        return {name: getattr(self, name).astype(np.float32) for name in self.__annotations__}

    def hidden(self, z: FloatArray) -> FloatArray:
        """(n, 16) activations of the second layer."""
        return _relu(_relu(z @ self.w1 + self.b1) @ self.w2 + self.b2)

    def logit(self, z: FloatArray) -> FloatArray:
        """(n,) log-odds of stress for (n, F) inputs."""
        logits = np.concatenate([self.hidden(z), z], axis=1) @ self.head_w + self.head_b
        return logits[:, 1] - logits[:, 0]


@dataclass(frozen=True, slots=True)
class HiddenSettings:
    """How the hidden part is fitted; chosen by leave-one-out and cross-dataset scores together.

    `share` scales the fitted hidden part: at 1 it gains at home and loses in transfer, at a third
    it keeps most of the gain and costs no transfer. From an l2 of 0.03 the hidden part dies out.
    """

    l2: float = 0.01
    steps: int = 150
    learning_rate: float = 0.01
    noise: float = 1.0
    stride: int = 6
    share: float = 0.3


def fit_net(
    data: TrainingSet, rng: np.random.Generator, settings: HiddenSettings | None = None
) -> StressNet:
    """Linear skip by Newton, then the hidden part on what is left, the skip held.

    Parameters
    ----------
    rng
        Draws the start and the input noise: the same generator gives the same weights.
    """
    linear = fit_linear(data)
    settings = settings or HiddenSettings()
    w1, b1, w2, b2, v, c = _fit_hidden(data, linear, rng, settings)
    # Half of each class's logit: only the difference counts, and a softmax head wants two.
    head = np.concatenate([settings.share * v, linear[:-1]])
    bias = float(linear[-1] + settings.share * c[0])
    return StressNet(
        w1, b1, w2, b2, np.column_stack([-head / 2, head / 2]), np.array([-bias / 2, bias / 2])
    )


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0.0)


def _fit_hidden(
    data: TrainingSet, linear: FloatArray, rng: np.random.Generator, settings: HiddenSettings
) -> list[FloatArray]:
    """[w1, b1, w2, b2, v, c] of logit = linear + relu(relu(z w1 + b1) w2 + b2) v + c, by Adam."""
    # Neighbouring windows overlap by five sixths; every sixth carries nearly the same information.
    rows = slice(None, None, settings.stride)
    z, y = data.z[rows], data.y[rows]
    weight = data.weight[rows] / data.weight[rows].sum()
    params = _initial(z.shape[1], rng)
    adam = _Adam(params, settings.learning_rate)
    for _ in range(settings.steps):
        noisy = z + settings.noise * rng.standard_normal(z.shape)
        offset = z @ linear[:-1] + linear[-1]
        adam.step(_gradients(params, noisy, y, weight, offset, settings.l2))
    return params


def _initial(n_features: int, rng: np.random.Generator) -> list[FloatArray]:
    def dense(n_in: int, n_out: int) -> FloatArray:
        return rng.normal(0.0, np.sqrt(1.0 / n_in), (n_in, n_out))

    return [
        dense(n_features, 32),
        np.zeros(32),
        dense(32, 16),
        np.zeros(16),
        np.zeros(16),
        np.zeros(1),
    ]


def _gradients(
    params: list[FloatArray],
    z: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    offset: FloatArray,
    l2: float,
) -> list[FloatArray]:
    """Gradient of weighted log-loss plus l2/2 of every squared matrix entry."""
    w1, b1, w2, b2, v, c = params
    h1 = _relu(z @ w1 + b1)
    h2 = _relu(h1 @ w2 + b2)
    g = weight * (sigmoid(offset + h2 @ v + c[0]) - y)
    g2 = np.outer(g, v) * (h2 > 0)
    g1 = (g2 @ w2.T) * (h1 > 0)
    return [
        z.T @ g1 + l2 * w1,
        g1.sum(axis=0),
        h1.T @ g2 + l2 * w2,
        g2.sum(axis=0),
        h2.T @ g + l2 * v,
        np.array([g.sum()]),
    ]


class _Adam:
    """Kingma, Ba 2015, with its usual constants; changes the arrays in place."""

    def __init__(self, params: list[FloatArray], learning_rate: float) -> None:
        self._params = params
        self._rate = learning_rate
        self._first = [np.zeros_like(p) for p in params]
        self._second = [np.zeros_like(p) for p in params]
        self._n = 0

    def step(self, gradients: list[FloatArray]) -> None:
        self._n += 1
        scale = self._rate * np.sqrt(1 - 0.999**self._n) / (1 - 0.9**self._n)
        for i, gradient in enumerate(gradients):
            self._first[i] += 0.1 * (gradient - self._first[i])
            self._second[i] += 0.001 * (gradient * gradient - self._second[i])
            self._params[i] -= scale * self._first[i] / (np.sqrt(self._second[i]) + 1e-8)
