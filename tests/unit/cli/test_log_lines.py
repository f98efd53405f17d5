"""What a board or a file says never steers the terminal that shows it."""

from __future__ import annotations

import argparse
import logging

import pytest

from firmware_host.cli.common import say, settings
from firmware_host.cli.streaming import EventPrinter
from firmware_host.events import StreamNoted

EVIL = "acc\x1b]0;PWNED\x07\nW all is well"


def _set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the start of a command: pytest has handlers of its own while a test runs."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    settings(argparse.Namespace(config=None, log="info"))


def _fail() -> None:
    raise ValueError(EVIL)


def test_log_line_is_one_printable_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _set_up(monkeypatch)
    logging.getLogger("signet").warning("channel %s: nothing for 5 s", EVIL)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
    assert "\\x1b]0;PWNED" in err


def test_traceback_keeps_its_lines_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _set_up(monkeypatch)
    try:
        _fail()
    except ValueError:
        logging.getLogger("signet").exception("unexpected")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 3
    assert all(line.isprintable() for line in lines)


def test_event_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    printer = EventPrinter(as_json=False, shows_place=False)
    printer(StreamNoted(1.0, 1e9, "rate", EVIL, {"why": EVIL}))
    say(f"recorded {EVIL}")
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert all(line.isprintable() for line in (out + err).splitlines())
