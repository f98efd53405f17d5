from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.adaptation.recipe import METHODS
from firmware_host.config import METHOD_NAMES, Config, load_config, parse_config
from firmware_host.errors import ConfigError
from firmware_host.identity.enrolment import MIN_WINDOWS
from firmware_host.signals.gait import HOP_S, WINDOW_S


def test_example_file_says_every_default(repo: Path) -> None:
    assert load_config(repo / "signet.example.toml") == Config()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[devise]\n", r"\[devise\]: expected one of \[device\]"),
        (
            "[device]\nbaud = 1\n",
            "device.baud: expected one of cue_on_stress, max_silence_s, placement, rates, silence_s, url",
        ),
        ("[device]\nurl = 3\n", "device.url: expected text in quotes, got 3"),
        ("[device]\nsilence_s = -1\n", "device.silence_s: expected a number of seconds above zero"),
        (
            "[device]\nsilence_s = inf\n",
            "device.silence_s: expected a number of seconds above zero",
        ),
        ("[device]\nmax_silence_s = inf\n", "device.max_silence_s: expected 0"),
        ("[device]\nmax_silence_s = nan\n", "device.max_silence_s: expected 0"),
        ("[device]\nmax_silence_s = -1\n", "device.max_silence_s: expected 0"),
        ("[device]\nrates = 50\n", "device.rates: expected a table such as"),
        ("[device]\nrates = { acc = -1 }\n", "device.rates.acc: expected a rate in Hz"),
        ("[device]\nrates = { acc = 'fast' }\n", "device.rates.acc: expected a rate in Hz"),
        ("[device]\nplacement = 'hat'\n", "device.placement: expected one of wrist, pocket"),
        ("[adaptation]\nenabled = 1\n", "adaptation.enabled: expected true or false, got 1"),
        ("[adaptation]\nbudget_s = -1\n", r"adaptation.budget_s: expected 0 \(no limit\) or more"),
        ("[adaptation]\nbudget_j = inf\n", "adaptation.budget_j: expected 0"),
        (
            "[adaptation]\nbudget_bytes = 1.5\n",
            "adaptation.budget_bytes: expected a whole number, got 1.5",
        ),
        ("[adaptation]\ncheckpoint_steps = 0\n", "adaptation.checkpoint_steps: expected 1 to"),
        ("[model]\nruntime = 'torch'\n", "model.runtime: expected one of auto"),
        ("device = 3\n", "device: expected a table"),
        ("not toml", "expected TOML"),
    ],
)
def test_bad_config_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as err:
        parse_config(text, source="x.toml")
    assert "\n" not in str(err.value)


def test_whole_number_is_taken_for_a_float() -> None:
    assert parse_config("[device]\nsilence_s = 3\n", source="x").device.silence_s == 3.0


def test_shortest_walk_is_one_that_can_be_enrolled() -> None:
    with pytest.raises(ConfigError, match=r"enrolment\.walk_s: expected 30 to 600, got 29"):
        parse_config("[enrolment]\nwalk_s = 29\n", source="x")
    shortest_s = parse_config("[enrolment]\nwalk_s = 30\n", source="x").enrolment.walk_s
    assert (shortest_s - WINDOW_S) / HOP_S + 1 == MIN_WINDOWS


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a readable TOML file"):
        load_config(tmp_path / "none.toml")


def test_state_dir_prefers_what_is_said_most_directly() -> None:
    env = {"SIGNET_STATE_DIR": "/a", "STATE_DIRECTORY": "/b", "HOME": "/h"}
    assert parse_config("[state]\ndir='/c'\n", source="x").state_dir(env) == Path("/c")
    assert Config().state_dir(env) == Path("/a")
    assert Config().state_dir({"STATE_DIRECTORY": "/b", "HOME": "/h"}) == Path("/b")
    assert Config().state_dir({"HOME": "/h"}) == Path("/h/.local/state/signet")


def test_key_is_never_inside_the_state_folder_by_default() -> None:
    env = {"HOME": "/h"}
    assert Config().state_dir(env) not in Config().key_file(env).parents


def test_host_root_must_be_a_folder_and_may_be_empty(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nope")
    with pytest.raises(ConfigError, match=r"SIGNET_HOST_ROOT: expected a folder .* got .*nope"):
        Config().host_root({"SIGNET_HOST_ROOT": nowhere})
    with pytest.raises(ConfigError, match=r"host\.root: expected a folder"):
        parse_config(f"[host]\nroot = '{nowhere}'\n", source="x").host_root({})
    assert Config().host_root({"SIGNET_HOST_ROOT": str(tmp_path)}) == tmp_path
    assert Config().host_root({}) == Path("/")


def test_methods_are_those_of_the_recipes() -> None:
    assert set(METHOD_NAMES) == set(METHODS)
