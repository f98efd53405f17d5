"""What the host computes from the real interpreter's board and from the simulated one, of the same body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firmware_host.inference.bundle import load_bundle
from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import Block, Hello
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.build import open_models
from firmware_host.runtime.pipeline import Listeners, Pipeline
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.micropython.process import run_virtually
from sim.micropython.worn import Hardware
from sim.person import Wearer
from sim.schedule import load_scenario
from sim.sensors import CHANNELS

pytestmark = pytest.mark.needs_node

UTC = 1_767_600_000.0
SECONDS = 200.0
NATIVE_HZ = {channel.name: channel.rate_hz for channel in CHANNELS}


def _body() -> SyntheticBody:
    return SyntheticBody(Wearer(load_scenario("walk").lasting(0.1), seed=7))


def _from_first_sample(code: bytes) -> bytes:
    """The same HELLO and blocks on a clock that begins with the first sample: boards take time to boot."""
    heard = MessageParser().feed(code)
    first_us = min(m.ticks_us for m in heard if isinstance(m, Block))
    hello = next(m for m in heard if isinstance(m, Hello))
    out = encode_hello(hello, seq=0, ticks_us=0)
    for message in heard:
        if isinstance(message, Block):
            out += encode_block(message._replace(ticks_us=message.ticks_us - first_us))
    return out


def _windows(code: bytes) -> tuple[list[Any], list[Any]]:
    """Windows for the stress model, and for the gait model."""
    bundle = load_bundle()
    stress: list[Any] = []
    gait: list[Any] = []
    listeners = Listeners(
        window=lambda timed: stress.append(timed.window),
        gait_window=lambda window, _: gait.append(window),
    )
    Pipeline(
        bundle,
        open_models(bundle, runtime="auto", placement="wrist"),
        baseline=WearerBaseline(window_s=bundle.stress.window_s),
        listeners=listeners,
    ).feed(_from_first_sample(code), UTC)
    return stress, gait


def test_features_are_those_of_the_simulated_board() -> None:
    real = run_virtually(_body(), Hardware(), seconds=SECONDS, config={"rates": NATIVE_HZ})
    stress, gait = _windows(real)
    stress_sim, gait_sim = _windows(VirtualBoard(_body(), seed=7).advance(SECONDS))
    assert (len(stress), len(gait)) == (14, 78)
    for ours, theirs in zip(stress, stress_sim, strict=False):
        assert (ours.t_end_s, ours.quality) == (theirs.t_end_s, theirs.quality)
        np.testing.assert_array_equal(ours.features, theirs.features)
    for ours, theirs in zip(gait, gait_sim, strict=False):
        assert (ours.t_end_s, ours.missing) == (theirs.t_end_s, theirs.missing)
        np.testing.assert_array_equal(ours.inv, theirs.inv)
        np.testing.assert_array_equal(ours.features(), theirs.features())
    assert max(window.periodicity for window in gait) > 0.5
