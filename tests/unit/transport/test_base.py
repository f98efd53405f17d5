from __future__ import annotations

import pytest

from firmware_host.errors import ConfigError
from firmware_host.transport.base import parse_url


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("/dev/ttyACM0", "serial", "/dev/ttyACM0"),
        ("./ttyBOARD", "serial", "./ttyBOARD"),
        ("/dev/serial/by-id/usb-a:b-if00", "serial", "/dev/serial/by-id/usb-a:b-if00"),
        ("serial:/dev/ttyACM0?baud=9600", "serial", "/dev/ttyACM0"),
        ("SOCKET://host:1", "socket", "//host:1"),
        ("replay:C and D/a+b 100%.mcap?speed=max", "replay", "C and D/a+b 100%.mcap"),
        ("replay:what?.mcap?speed=max", "replay", "what?.mcap"),
        ("synthetic:", "synthetic", ""),
    ],
)
def test_url_is_taken_apart(text: str, scheme: str, target: str) -> None:
    url = parse_url(text)
    assert (url.scheme, url.target, url.text) == (scheme, target, text)


def test_options_keep_repeats_and_are_decoded() -> None:
    url = parse_url("sim:?fault=unplug&fault=noise&recording=%2Ftmp%2Fa%26b+c")
    assert url.options == {"fault": ("unplug", "noise"), "recording": ("/tmp/a&b+c",)}


@pytest.mark.parametrize("text", ["", "ttyACM0", "board 1", "1:2"])
def test_text_that_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a path such as /dev/serial/by-id"):
        parse_url(text)


@pytest.mark.parametrize("query", ["baud", "=9600", "baud=1&x"])
def test_options_without_key_or_value_are_refused(query: str) -> None:
    with pytest.raises(ConfigError, match="key=value"):
        parse_url(f"serial:/dev/x?{query}")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="option baud: expected the option once"):
        parse_url("serial:/dev/x?baud=1&baud=2").option("baud")


@pytest.mark.parametrize("value", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="expected a number above zero"):
        parse_url(f"serial:/dev/x?baud={value}").number("baud", default=1)


def test_unknown_options_name_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="expected one of baud, got 'bauds'"):
        parse_url("serial:/dev/x?bauds=1").check_options(["baud"])
    with pytest.raises(ConfigError, match="expected no options"):
        parse_url("socket://h:1?x=1").check_options([])


def test_name_with_a_question_mark_takes_one_more_after_it() -> None:
    assert parse_url("replay:what?.mcap?").target == "what?.mcap"
    assert parse_url("replay:what?.mcap?speed=1").target == "what?.mcap"
    with pytest.raises(ConfigError, match=r"after a name with a \? in it comes another \?"):
        parse_url("replay:what?.mcap")
