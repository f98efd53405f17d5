from __future__ import annotations

import subprocess
import sys

import pytest

from firmware_host.devices import open_device
from firmware_host.errors import ConfigError, LinkError
from firmware_host.transport.registry import FACTORIES, open_transport


def test_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        open_device("bluetooth:AA")
    assert all(f"{scheme}:" in str(caught.value) for scheme in [*FACTORIES, "replay"])
    assert "got 'bluetooth:'" in str(caught.value)


def test_the_registry_itself_knows_no_recordings() -> None:
    with pytest.raises(ConfigError, match="got 'replay:'"):
        open_transport("replay:day.mcap")


def test_errors_of_every_scheme_are_one_line() -> None:
    urls = ["/dev/none", "pty:", "serial:/etc/hostname", "socket://h", "sim:?x=1", "loop:?x=1"]
    for url in [*urls, "replay:", "replay:x?speed=fast", "replay:x?slow=1"]:
        with pytest.raises((ConfigError, LinkError)) as caught:
            open_device(url)
        assert "\n" not in str(caught.value)
        assert "sudo" not in str(caught.value)


def test_opening_the_table_loads_no_network_and_no_serial_library() -> None:
    code = (
        "import sys, firmware_host.devices\n"
        "print([m for m in ('socket', 'serial', 'numpy', 'mcap') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
