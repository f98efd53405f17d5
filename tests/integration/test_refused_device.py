"""A command whose device is refused has done nothing, and leaves nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import Done, Wearer, one_line, signet

VERBS = (
    ["run"],
    ["run", "--wait"],
    ["record"],
    ["enrol", "gait"],
    ["enrol", "baseline"],
)


def _is_untouched(wearer: Wearer) -> bool:
    return not wearer.state.exists() and not (wearer.folder / "key").exists()


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_wrong_setting_leaves_no_vault(wearer: Wearer, verb: list[str]) -> None:
    done = wearer.signet(*verb, "--device", "nosuch:")
    assert done.code == 2
    assert _is_untouched(wearer)


@pytest.mark.parametrize("verb", [v for v in VERBS if "--wait" not in v], ids=" ".join)
def test_wrong_path_leaves_no_vault(wearer: Wearer, verb: list[str]) -> None:
    done = wearer.signet(*verb, "--device", "/dev/ttyNone0")
    assert done.code == 3
    assert "/dev/ttyNone0" in one_line(done)
    assert _is_untouched(wearer)


RECORDINGS = (["record", "--out"], ["run", "--no-learn", "--record"])
SHORT = "synthetic:?seed=8&scenario=short&hours=0.02"
# No such channel, no such rate, one of two, and one that is refused before there is a board.
BAD_RATES = ("foo=10", "acc=0.001", "acc=25 foo=10", "acc=25 acc=50")


def _record(wearer: Wearer, verb: list[str], url: str, rates: str = "") -> Done:
    options = [part for rate in rates.split() for part in ("--rate", rate)]
    return wearer.signet(*verb, wearer.folder / "a.mcap", "--device", url, *options)


@pytest.mark.parametrize("rates", BAD_RATES)
@pytest.mark.parametrize("verb", RECORDINGS, ids=" ".join)
def test_refused_rate_leaves_no_recording(wearer: Wearer, verb: list[str], rates: str) -> None:
    assert _record(wearer, verb, SHORT, rates).code == 2
    assert not list(wearer.folder.glob("*.mcap"))


@pytest.mark.parametrize("verb", RECORDINGS, ids=" ".join)
def test_right_command_works_after_a_refused_one(wearer: Wearer, verb: list[str]) -> None:
    assert _record(wearer, verb, SHORT, "acc=0.001").code == 2
    _record(wearer, verb, SHORT, "acc=25").check()
    signet("replay", wearer.folder / "a.mcap", "--speed", "max").check()


@pytest.mark.parametrize("url", ["/dev/ttyNone0", "nosuch:", "replay:none.mcap"])
@pytest.mark.parametrize("verb", RECORDINGS, ids=" ".join)
def test_device_that_cannot_be_opened_leaves_no_recording(
    wearer: Wearer, verb: list[str], url: str
) -> None:
    assert _record(wearer, verb, url).code in (2, 3, 4)
    assert not list(wearer.folder.glob("*.mcap"))


@pytest.mark.parametrize("verb", RECORDINGS, ids=" ".join)
def test_no_board_leaves_no_recording(wearer: Wearer, verb: list[str]) -> None:
    with _rude_server() as url:
        assert _record(wearer, verb, url).code == 3
    assert not list(wearer.folder.glob("*.mcap"))


@contextmanager
def _rude_server() -> Iterator[str]:
    """No board: somebody who hangs up on everybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_no_board_leaves_no_vault(wearer: Wearer) -> None:
    with _rude_server() as url:
        done = wearer.signet("run", "--device", url)
    assert done.code == 3
    assert _is_untouched(wearer)


@pytest.mark.parametrize(
    "arguments",
    [["replay", "none.mcap"], ["run", "--device", "synthetic:", "--bundle", "none"]],
    ids=["recording", "bundle"],
)
def test_missing_file_leaves_no_vault(wearer: Wearer, arguments: list[str]) -> None:
    done = wearer.signet(*arguments)
    assert done.code in (4, 5)
    assert _is_untouched(wearer)


def test_vault_that_was_there_stays_and_is_opened_before_the_device(
    wearer: Wearer, tmp_path: Path
) -> None:
    wearer.signet("label", "rest", "--last", "5m").check()
    assert wearer.signet("run", "--device", "/dev/ttyNone0").code == 3
    assert "1 label" in wearer.signet("label", "--list").check().err
    wrong = ["--state", wearer.state, "--key-file", tmp_path / "other"]
    (tmp_path / "other").write_text("no key")
    assert signet("run", "--device", "/dev/ttyNone0", *wrong).code == 7


def test_device_that_is_good_has_a_vault_made(wearer: Wearer) -> None:
    url = "synthetic:?seed=8&scenario=short&hours=0.02"
    wearer.signet("run", "--device", url, "--no-learn", "--json").check()
    assert wearer.signet("status", "--json").check().json["records"]["event"] > 0
