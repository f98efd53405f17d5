"""The trainer against independent arithmetic: gradients, optimum, weights, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest

from training.stress.network import (
    L2,
    HiddenSettings,
    TrainingSet,
    _gradients,
    _initial,
    fit_linear,
    fit_net,
    sigmoid,
    training_set,
)


def people(rng, n_people=6, n=80, n_features=26):
    w = rng.normal(size=n_features)
    parts = []
    for _ in range(n_people):
        z = rng.normal(size=(n, n_features))
        parts.append((z, (z @ w + 2 * rng.normal(size=n) > 1).astype(int)))
    return parts


def loss(params, z, y, weight, offset, l2):
    w1, b1, w2, b2, v, c = params
    h = np.maximum(np.maximum(z @ w1 + b1, 0) @ w2 + b2, 0)
    logit = offset + h @ v + c[0]
    data = (weight * (np.logaddexp(0, logit) - y * logit)).sum()
    return data + 0.5 * l2 * sum((p * p).sum() for p in (w1, w2, v))


def test_gradient_equals_finite_differences_when_computed(rng):
    z, y = rng.normal(size=(40, 5)), rng.integers(0, 2, 40).astype(float)
    weight, offset = rng.uniform(size=40), rng.normal(size=40)
    params = _initial(5, rng)
    params[4] = rng.normal(size=16)
    ours = _gradients(params, z, y, weight, offset, 0.1)
    for k, p in enumerate(params):
        for idx in list(np.ndindex(p.shape))[:: max(1, p.size // 7)]:
            values = []
            for step in (1e-6, -1e-6):
                moved = [q.copy() for q in params]
                moved[k][idx] += step
                values.append(loss(moved, z, y, weight, offset, 0.1))
            assert ours[k][idx] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-5)


def test_linear_fit_is_the_optimum_when_converged(rng):
    data = training_set(people(rng))
    w = fit_linear(data)
    p = sigmoid(data.z @ w[:-1] + w[-1])
    gradient = data.z.T @ (data.weight * (p - data.y)) + L2 * w[:-1]
    np.testing.assert_allclose(gradient, 0.0, atol=1e-8)


def test_linear_fit_equals_sklearn_when_penalised_alike(rng):
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = training_set(people(rng))
    theirs = linear_model.LogisticRegression(C=1 / L2, tol=1e-10, max_iter=1000)
    theirs.fit(data.z, data.y, sample_weight=data.weight)
    np.testing.assert_allclose(fit_linear(data)[:-1], theirs.coef_[0], atol=1e-4)


def test_every_person_and_class_weighs_the_same_when_counts_differ(rng):
    parts = [
        (rng.normal(size=(100, 3)), np.array([0] * 90 + [1] * 10)),
        (rng.normal(size=(10, 3)), np.array([0] * 5 + [1] * 5)),
    ]
    data = training_set(parts)
    first, second = data.weight[:100], data.weight[100:]
    assert first.sum() == pytest.approx(second.sum())
    assert first[:90].sum() == pytest.approx(first[90:].sum())


def test_net_is_the_same_bits_when_the_seed_is(rng):
    data = training_set(people(rng))
    one, two = (fit_net(data, np.random.default_rng(5)) for _ in range(2))
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])
    other = fit_net(data, np.random.default_rng(6))
    assert not np.array_equal(one.w1, other.w1)


def test_logit_is_the_difference_of_the_head_when_written_out(rng):
    data = training_set(people(rng))
    net = fit_net(data, rng)
    shapes = {k: v.shape for k, v in net.arrays().items()}
    assert shapes == {
        "w1": (26, 32), "b1": (32,), "w2": (32, 16), "b2": (16,),
        "head_w": (42, 2), "head_b": (2,),
    }  # fmt: skip
    z = data.z[:4]
    h = np.maximum(np.maximum(z @ net.w1 + net.b1, 0) @ net.w2 + net.b2, 0)
    logits = np.concatenate([h, z], axis=1) @ net.head_w + net.head_b
    np.testing.assert_allclose(net.logit(z), logits[:, 1] - logits[:, 0])


def test_hidden_part_adds_nothing_when_its_share_is_zero(rng):
    data = training_set(people(rng))
    net = fit_net(data, rng, HiddenSettings(share=0.0))
    w = fit_linear(data)
    np.testing.assert_allclose(net.logit(data.z), data.z @ w[:-1] + w[-1])


def test_hidden_part_learns_what_is_not_linear_when_given_full_share(rng):
    z = rng.normal(size=(1500, 4))
    y = (np.abs(z[:, 0]) > 0.7).astype(float)
    data = TrainingSet(z, y, np.full(1500, 30 / 1500))
    settings = HiddenSettings(l2=1e-4, steps=400, noise=0.0, stride=1, share=1.0)
    net = fit_net(data, rng, settings)
    assert ((net.logit(z) > 0) == (y == 1)).mean() > 0.9
