"""What happens to a body reaches the board: taken off, asked by a tap, an empty battery, no power."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import (
    Ack,
    Block,
    BootCause,
    Button,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    PartState,
    Reset,
    SettingOrder,
    Status,
)
from firmware_host.protocol.parser import MessageParser
from sim.bad_sensors import TroubledBody
from sim.board import VirtualBoard
from sim.body import SyntheticBody
from sim.fault_plan import FaultPlan, build_faults
from sim.micropython.process import board_json, put_app, run_virtually
from sim.micropython.worn import Hardware
from sim.person import Wearer
from sim.schedule import build_schedule
from sim.sensors import CHANNELS

pytestmark = pytest.mark.needs_node

NO_FAULTS = FaultPlan()
NATIVE_HZ = {channel.name: channel.rate_hz for channel in CHANNELS}


def _body(*bouts: tuple[str, float], faults: FaultPlan = NO_FAULTS, **more: object) -> TroubledBody:
    """A life of (label, seconds)."""
    table = {
        "start_utc": datetime(2026, 5, 4, 8, tzinfo=UTC),
        "bout": [{"label": label, "minutes": seconds / 60} for label, seconds in bouts],
        **more,
    }
    return TroubledBody(
        SyntheticBody(Wearer(build_schedule(table, name="x"), seed=5)), faults, seed=5
    )


def _events(heard, kind: EventKind) -> list[tuple[float, int]]:
    """(seconds after the first sample of its boot, value)."""
    starts = {}
    for block in heard.of(Block):
        if block.stream == 0 and block.sample_idx == 0:
            starts[block.session] = block.ticks_us
    return [
        ((e.ticks_us - starts[e.session]) / 1e6, e.value)
        for e in heard.of(Event)
        if e.kind == kind and e.session in starts
    ]


def _wear_of_the_other(body) -> list[tuple[float, int]]:
    heard = MessageParser().feed(VirtualBoard(body, seed=1).advance(1e4))
    return [
        (m.ticks_us / 1e6, m.value)
        for m in heard
        if isinstance(m, Event) and m.kind is EventKind.WEAR
    ]


def test_taken_off_and_put_on_again_is_told_as_by_the_simulated_board(live) -> None:
    life = (("rest", 20.0), ("off", 20.0), ("rest", 20.0))
    told = _events(live(60.0, body=_body(*life)), EventKind.WEAR)
    wanted = _wear_of_the_other(_body(*life))
    assert [value for _, value in told] == [value for _, value in wanted] == [1, 0, 1]
    # Of what it finds at boot it says that it was so since the boot.
    np.testing.assert_allclose([t for t, _ in told], [t for t, _ in wanted], atol=0.2)


def test_band_that_lies_on_a_table_at_boot_is_told_once(live) -> None:
    assert [
        value for _, value in _events(live(30.0, body=_body(("off", 40.0))), EventKind.WEAR)
    ] == [0]


def test_contact_lost_by_a_fault_is_told(live) -> None:
    plan = build_faults([{"kind": "off_skin", "at_s": 12, "for_s": 10}])
    told = _events(live(40.0, body=_body(("rest", 60.0), faults=plan)), EventKind.WEAR)
    np.testing.assert_allclose(told, [(0, 1), (12, 0), (22, 1)], atol=0.2)


def test_what_is_told_once_waits_for_a_line_that_takes_it(live) -> None:
    life = (("rest", 20.0), ("off", 20.0))
    heard = live(16.0, body=_body(*life), deaf_s=((0.0, 12.0),))
    assert {e.kind: e.value for e in heard.of(Event)} == {EventKind.WEAR: 1, EventKind.BATTERY: 98}
    assert all(e.ticks_us / 1e6 > 12 for e in heard.of(Event))
    assert heard.of(Status) == []
    assert heard.of(Block)[0].dropped > 0
    # What is no longer so is not told.
    heard = live(38.0, body=_body(*life), deaf_s=((0.0, 30.0),))
    assert [e.value for e in heard.of(Event) if e.kind is EventKind.WEAR] == [0]


def test_contact_is_told_by_what_is_kept_of_it(live, tmp_path) -> None:
    put_app(tmp_path, board_json(NATIVE_HZ))
    # At first the board takes this wearer's skin for air, then it is to say nothing.
    keep = [
        Command(CommandKind.SETTING, SettingOrder.KEEP, 1, key="wear", text=t)
        for t in ("200000", "0")
    ]
    reset = Command(CommandKind.RESET, Reset.ANEW, 2)
    say = [
        (t, encode_command(c, seq=0))
        for t, c in zip((4, 5, 14, 15), (keep[0], reset, keep[1], reset), strict=True)
    ]
    heard = live(25.0, body=_body(("rest", 40.0)), flash=tmp_path, say=say)
    assert [e.value for e in heard.of(Event) if e.kind is EventKind.WEAR] == [1, 0]


def test_board_without_an_optical_sensor_says_nothing_of_contact(live) -> None:
    heard = live(12.0, body=_body(("rest", 20.0)), parts=("lsm6ds3", "tmp117"))
    assert _events(heard, EventKind.WEAR) == []


def test_stopped_board_and_failing_bus_say_nothing_of_contact(live) -> None:
    say = [(3.0, encode_command(Command(CommandKind.STOP, 0, 1), seq=0))]
    heard = live(20.0, body=_body(("rest", 6.0), ("off", 20.0)), say=say)
    assert [value for _, value in _events(heard, EventKind.WEAR)] == [1]
    heard = live(20.0, body=_body(("rest", 6.0), ("off", 20.0)), broken_s=((5.0, 30.0),))
    assert [value for _, value in _events(heard, EventKind.WEAR)] == [1]
    assert PartState.FAILS in {p.state for p in heard.of(Status)[-1].parts if p.name == "max30102"}


def _from_start(heard) -> list:
    """What a host hears that opens the line with START: its ACK and all that follows, but samples."""
    first = next(i for i, m in enumerate(heard) if isinstance(m, Ack) and m.command == 1)
    return [m for m in heard[first:] if not isinstance(m, Block)]


@pytest.mark.parametrize("worn", [1, 0])
def test_host_that_comes_later_is_told_what_is_so(live, worn) -> None:
    life = (("rest", 8.0), ("rest" if worn else "off", 30.0))
    say = [(16.0 + i, encode_command(Command(CommandKind.START, 0, i), seq=i)) for i in range(2)]
    told = _from_start(live(24.0, body=_body(*life), say=say))
    for i, kind in enumerate((Ack, Hello, Event, Event) * 2):
        assert isinstance(told[i], kind)
    state = [(m.kind, m.value) for m in told if isinstance(m, Event)]
    assert state == [(EventKind.WEAR, worn), (EventKind.BATTERY, 98)] * 2
    # As of now: since when it is so may be longer ago than the ticks can say.
    assert all(0 <= m.ticks_us - told[0].ticks_us < 2_000_000 for m in told[:8])


@pytest.mark.parametrize("worn", [1, 0])
def test_board_that_was_stopped_looks_before_it_says_that_it_is_worn(live, worn) -> None:
    life = (("rest", 8.0), ("rest" if worn else "off", 30.0))
    orders = [(5.0, CommandKind.STOP), (14.0, CommandKind.START)]
    say = [(t, encode_command(Command(kind, 0, 1), seq=0)) for t, kind in orders]
    heard = live(24.0, body=_body(*life), say=say)
    told = _from_start(heard)
    assert [m.value for m in told if isinstance(m, Event) and m.kind is EventKind.BATTERY] == [98]
    (wear,) = (m for m in told if isinstance(m, Event) and m.kind is EventKind.WEAR)
    assert wear.value == worn
    assert abs(wear.ticks_us - told[0].ticks_us) < 1_000_000


@pytest.mark.parametrize(
    ("label", "answer"),
    [("stress", Button.CUE_ACCEPTED), ("rest", Button.CUE_DISMISSED), ("off", None)],
)
@pytest.mark.parametrize("pattern", [1, 3])
def test_wearer_answers_a_tap(live, label, answer, pattern) -> None:
    def cue(t_s: float) -> tuple[float, bytes]:
        return t_s, encode_command(Command(CommandKind.CUE, pattern, int(t_s)), seq=int(t_s))

    life = _body((label, 60.0), answers_cues=True)
    heard = live(32.0, body=life, say=[cue(4.0), cue(18.0)], config={"sensors": ["tmp117"]})
    told = _events(heard, EventKind.BUTTON)
    assert [value for _, value in told] == ([] if answer is None else [answer] * 2)
    # Six seconds after the tap, which came so long after the first sample.
    first_s = [ack.ticks_us / 1e6 for ack in heard.of(Ack)]
    start_s = next(b.ticks_us for b in heard.of(Block) if b.stream == 0) / 1e6
    for (t_s, _), cue_s in zip(told, first_s, strict=bool(answer)):
        assert t_s + start_s == pytest.approx(cue_s + 6.0, abs=0.1)
    assert heard == live(
        32.0,
        body=_body((label, 60.0), answers_cues=True),
        say=[cue(4.0), cue(18.0)],
        config={"sensors": ["tmp117"]},
    )


def test_battery_goes_down_with_the_bodys(live) -> None:
    plan = build_faults([{"kind": "brown_out", "at_s": 125.0, "resets": 1}])
    heard = live(150.0, body=_body(("rest", 200.0), faults=plan), config={"sensors": ["tmp117"]})
    # Looked at once a minute: 98 % at first, and before a brown-out less and less.
    told = _events(heard, EventKind.BATTERY)
    assert [value for _, value in told][:2] == [98, 3]
    np.testing.assert_allclose([t for t, _ in told][:2], [0, 120], atol=1)


def test_power_that_fails_begins_a_session_and_the_body_lives_on(live) -> None:
    heard = live(
        20.0,
        body=_body(("rest", 60.0)),
        dark_s=((8.0, 11.5),),
        config={"sensors": ["lsm6ds3"], "rates": NATIVE_HZ},
    )
    first, second = dict.fromkeys(hello.session for hello in heard.of(Hello))
    told = {status.session: status for status in heard.of(Status)}
    assert [told[s].cause for s in (first, second)] == [BootCause.POWER] * 2
    assert (told[second].n_boots, told[second].n_failures) == (2, 0)
    acc = heard[0].channel("acc")
    raw = [
        np.frombuffer(
            b"".join(b.data for b in heard.of(Block) if (b.session, b.stream) == (s, 0)), "<i2"
        )
        for s in (first, second)
    ]
    own = _body(("rest", 60.0)).read("acc", 1000)
    n = len(raw[0]) // 3
    assert 7 * acc.rate_hz <= n <= 8 * acc.rate_hz
    np.testing.assert_array_equal(raw[0].reshape(-1, 3), own[:n])
    again = raw[1].reshape(-1, 3)
    # It boots as it first did, and takes its first sample a moment after the power came.
    at = next(i for i in range(len(own)) if np.array_equal(own[i : i + 50], again[:50]))
    assert 11.5 <= at / acc.rate_hz <= 11.8


def test_body_is_not_lived_while_the_board_charges(live) -> None:
    life = (("rest", 8.0), ("charging", 9.0), ("rest", 8.0))
    heard = live(25.0, body=_body(*life), config={"rates": NATIVE_HZ})
    sessions = list(dict.fromkeys(hello.session for hello in heard.of(Hello)))
    assert len(sessions) == 2
    first = next(b for b in heard.of(Block) if b.session == sessions[1] and b.stream == 0)
    # What it takes first after charging is what the body does then: next to what came before.
    own = _body(*life).read("acc", 1000)
    taken = np.frombuffer(first.data, "<i2").reshape(-1, 3)
    assert any(np.array_equal(own[i : i + len(taken)], taken) for i in range(400, 420))
    assert [value for _, value in _events(heard, EventKind.WEAR)] == [1, 1]


def test_power_that_fails_again_and_again(live) -> None:
    dark_s = tuple((5.0 + 2 * k, 6.0 + 2 * k) for k in range(4))
    heard = live(20.0, body=_body(("rest", 60.0)), dark_s=dark_s)
    assert len({hello.session for hello in heard.of(Hello)}) == 5
    assert heard.of(Status)[-1].n_boots == 5
    assert heard.of(Status)[-1].n_failures == 0


def test_what_is_written_before_the_power_goes_is_kept(tmp_path) -> None:
    put_app(tmp_path, board_json(NATIVE_HZ))
    keep = Command(CommandKind.SETTING, SettingOrder.KEEP, 1, key="id", text="left")
    hardware = Hardware(say=((2.0, encode_command(keep, seq=0)),), dark_s=((4.0, 5.0),))
    data = run_virtually(_body(("rest", 20.0)), hardware, seconds=7.0, flash=tmp_path)
    ids = [m.board_id for m in MessageParser().feed(data) if isinstance(m, Hello)]
    assert (ids[0], ids[-1]) == ("signet-4d3030303031", "left")
