"""One TOML file into frozen dataclasses, one per section; an unknown key is an error.

Where nothing is said: the state folder is ``$SIGNET_STATE_DIR``, else systemd's ``$STATE_DIRECTORY``, else
``$XDG_STATE_HOME/signet`` (``~/.local/state/signet``); the key file is ``$SIGNET_KEY_FILE``, else
``$XDG_CONFIG_HOME/signet/key`` (``~/.config/signet/key``), outside the state folder on purpose.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from firmware_host.adaptation.limits import Limits
from firmware_host.errors import ConfigError
from firmware_host.inference.delegates import DELEGATES
from firmware_host.protocol.messages import MAX_RATE_HZ, MIN_RATE_HZ

RUNTIMES = ("auto", "tflite-runtime", "ai-edge-litert")
PLACEMENTS = ("wrist", "pocket")
DEFAULT_PLACEMENT = PLACEMENTS[0]
# As in adaptation/recipe.py, which needs numpy; a test holds them together.
METHOD_NAMES = ("recipe", "bias", "head", "lora", "lora+head", "mezo")
RATE_WORDS = "a rate in Hz, 0.001 to below 1000000"
BOARD_OF_RATES = "a board, as a recording has the rates it has"
LOG_LEVELS = ("debug", "info", "warning", "error")


# Of the size (MB) and of the length (minutes) of one file of a recording.
_LEAST_FILE = 0.1


def _check(ok: bool, key: str, expected: str, received: object) -> None:
    if not ok:
        raise ConfigError(key, expected, received)


@dataclass(frozen=True, slots=True)
class Device:
    """Where the board is and is worn, how long silence is tolerated, whether it taps when stress lasts.

    After ``silence_s`` without samples it is said; after ``max_silence_s`` it is the end. With 0 a board that is away
    is awaited as long as it takes, and one that is there but mute for sixty times ``silence_s``. ``rates`` are
    the sample rates to ask of the board, Hz by channel name.
    """

    url: str = ""
    placement: str = DEFAULT_PLACEMENT
    silence_s: float = 5.0
    max_silence_s: float = 0.0
    cue_on_stress: bool = False
    rates: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rate_hz in self.rates.items():
            is_number = isinstance(rate_hz, int | float) and not isinstance(rate_hz, bool)
            is_rate = is_number and MIN_RATE_HZ <= rate_hz < MAX_RATE_HZ
            _check(is_rate, f"device.rates.{name}", RATE_WORDS, rate_hz)
        expected = "one of " + ", ".join(PLACEMENTS)
        _check(self.placement in PLACEMENTS, "device.placement", expected, self.placement)
        is_finite = 0 < self.silence_s < math.inf
        _check(is_finite, "device.silence_s", "a number of seconds above zero", self.silence_s)
        is_end = 0 <= self.max_silence_s < math.inf
        expected = "0 (as long as it takes) or a number of seconds"
        _check(is_end, "device.max_silence_s", expected, self.max_silence_s)


@dataclass(frozen=True, slots=True)
class Model:
    """Which bundle, which TFLite runtime, and what may compute int8 layers besides the CPU."""

    bundle: str = ""
    runtime: str = "auto"
    delegate: str = "auto"

    def __post_init__(self) -> None:
        expected = "one of " + ", ".join(RUNTIMES)
        _check(self.runtime in RUNTIMES, "model.runtime", expected, self.runtime)
        expected = "one of " + ", ".join(DELEGATES)
        _check(self.delegate in DELEGATES, "model.delegate", expected, self.delegate)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Whether and how the host learns, and what one ``signet learn`` may use; a budget of 0 is none.

    ``method`` is what a job tries: everything that has proved itself ("recipe"), or one way only.
    ``micro_batches`` adds gradients up in little memory; it changes results by rounding alone.
    ``budget_j`` is CPU seconds times ``core_w``, what one busy core draws: a proxy, no measurement.
    """

    enabled: bool = True
    seed: int = 1
    method: str = "recipe"
    micro_batches: bool = False
    budget_s: float = 600.0
    budget_j: float = 600.0
    budget_bytes: int = 32_000_000
    core_w: float = 1.0
    checkpoint_steps: int = 50

    def __post_init__(self) -> None:
        _check(0 <= self.seed < 2**32, "adaptation.seed", "0 to 4294967295", self.seed)
        expected = "one of " + ", ".join(METHOD_NAMES)
        _check(self.method in METHOD_NAMES, "adaptation.method", expected, self.method)
        for name in ("budget_s", "budget_j", "budget_bytes"):
            value = getattr(self, name)
            _check(0 <= value < math.inf, f"adaptation.{name}", "0 (no limit) or more", value)
        _check(0 < self.core_w <= 100, "adaptation.core_w", "watts of a core, to 100", self.core_w)
        steps = self.checkpoint_steps
        _check(1 <= steps <= 10_000, "adaptation.checkpoint_steps", "1 to 10000", steps)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How much walking makes a gait reference, and whether it follows the wearer afterwards."""

    walk_s: float = 60.0
    follow: bool = False

    def __post_init__(self) -> None:
        # From half a minute on an enrolment has the windows it cannot do without.
        _check(30 <= self.walk_s <= 600, "enrolment.walk_s", "30 to 600", self.walk_s)


@dataclass(frozen=True, slots=True)
class State:
    """Where the wearer's data lives, encrypted, and for how long windows and events are kept."""

    dir: str = ""
    key_file: str = ""
    keep_days: float = 30.0

    def __post_init__(self) -> None:
        _check(self.keep_days > 0, "state.keep_days", "more than 0", self.keep_days)


@dataclass(frozen=True, slots=True)
class Recording:
    """When a recording goes on in a next file, and how much room those of one folder take; 0 is no limit.

    At the quota recording stops, unless ``quota_deletes_oldest`` lets the oldest go. A file is 0.1 MB or 0.1
    minutes at least: each one begins with some kilobytes that say what the board is.
    """

    max_file_mb: float = 0.0
    max_file_minutes: float = 0.0
    quota_mb: float = 0.0
    quota_deletes_oldest: bool = False

    def __post_init__(self) -> None:
        for name in ("max_file_mb", "max_file_minutes", "quota_mb"):
            value = getattr(self, name)
            least = _LEAST_FILE if name.startswith("max_file") else 0.0
            expected = f"0 (no limit) or {least:g} or more" if least else "0 (no limit) or more"
            is_fit = value == 0 or least <= value < math.inf
            _check(is_fit and value >= 0, f"recording.{name}", expected, value)
        is_one_file = not self.max_file_mb and not self.max_file_minutes
        # One endless file can only stop: nothing older than it would be left to delete.
        expected = "max_file_mb or max_file_minutes beside it, so that there are older files"
        is_vain = self.quota_deletes_oldest and is_one_file
        _check(not is_vain, "recording.quota_deletes_oldest", expected, "neither")


@dataclass(frozen=True, slots=True)
class Host:
    """Where the machine's ``/sys`` and ``/proc`` are; another folder is a machine of the simulator's."""

    root: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """How much is said on standard error."""

    level: str = "warning"

    def __post_init__(self) -> None:
        expected = "one of " + ", ".join(LOG_LEVELS)
        _check(self.level in LOG_LEVELS, "log.level", expected, self.level)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    device: Device = field(default_factory=Device)
    model: Model = field(default_factory=Model)
    adaptation: Adaptation = field(default_factory=Adaptation)
    enrolment: Enrolment = field(default_factory=Enrolment)
    state: State = field(default_factory=State)
    recording: Recording = field(default_factory=Recording)
    policy: Limits = field(default_factory=Limits)
    host: Host = field(default_factory=Host)
    log: Log = field(default_factory=Log)

    def state_dir(self, env: Mapping[str, str] = os.environ) -> Path:
        """Folder of the vault."""
        for said in (self.state.dir, env.get("SIGNET_STATE_DIR"), env.get("STATE_DIRECTORY")):
            if said:
                return _path("state.dir", said)
        return _xdg(env, "XDG_STATE_HOME", ".local/state") / "signet"

    def key_file(self, env: Mapping[str, str] = os.environ) -> Path:
        """File that opens the vault; never inside the state folder."""
        said = self.state.key_file or env.get("SIGNET_KEY_FILE")
        if said:
            return _path("state.key_file", said)
        return _xdg(env, "XDG_CONFIG_HOME", ".config") / "signet" / "key"

    def host_root(self, env: Mapping[str, str] = os.environ) -> Path:
        """Folder that ``/sys`` and ``/proc`` are in.

        Raises
        ------
        ConfigError
            If it is no folder: with nothing to read, nothing would hold learning up.
        """
        said, key = self.host.root, "host.root"
        if not said:
            said, key = env.get("SIGNET_HOST_ROOT") or "/", "SIGNET_HOST_ROOT"
        root = _path(key, said)
        _check(root.is_dir(), key, "a folder with a machine's /sys and /proc", said)
        return root


def recording_name(key: str, said: str) -> Path:
    """Where a new recording goes.

    Raises
    ------
    ConfigError
        If its name says that it is of another format: what is streamed is written as MCAP.
    """
    expected = "a name that ends in .mcap (signet convert makes the other formats of it)"
    _check(said.lower().endswith(".mcap"), key, expected, said)
    return _path(key, said)


def _path(key: str, said: str) -> Path:
    """A path that somebody wrote, ``~`` and ``~name`` as a shell has them."""
    _check("\0" not in said, key, "a path", said)
    try:
        return Path(said).expanduser()
    except RuntimeError as err:
        raise ConfigError(key, "a path below a home folder that there is", said) from err


def _xdg(env: Mapping[str, str], name: str, fallback: str) -> Path:
    """A folder by the XDG rules: a variable that is empty or not absolute counts as not set."""
    said = env.get(name, "")
    if Path(said).is_absolute():
        return Path(said)
    home = env.get("HOME") or "~"
    base = _path("HOME", home)
    # Somewhere else tomorrow: a vault would be begun anew in every folder the command is called from.
    _check(base.is_absolute(), "HOME", "an absolute path, or --state and --key-file", home)
    return base / fallback


_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "dict": "a table such as { acc = 100 }",
}


def _section(kind: type, name: str, table: Any) -> Any:
    _check(isinstance(table, dict), name, "a table", table)
    known = {f.name: str(f.type) for f in fields(kind)}
    for key, value in table.items():
        where = f"{name}.{key}"
        _check(key in known, where, "one of " + ", ".join(sorted(known)), "an unknown key")
        wanted = known[key].partition("[")[0]
        if wanted == "float" and isinstance(value, int) and not isinstance(value, bool):
            _check(abs(value) < 1 << 63, where, "a number of 64 bits", value)
            table = {**table, key: float(value)}
            continue
        _check(type(value).__name__ == wanted, where, _TYPE_WORDS[wanted], value)
    return kind(**table)


_SECTIONS: dict[str, type] = {
    "device": Device,
    "model": Model,
    "adaptation": Adaptation,
    "enrolment": Enrolment,
    "state": State,
    "recording": Recording,
    "policy": Limits,
    "host": Host,
    "log": Log,
}


def parse_config(text: str, *, source: str) -> Config:
    """Config from TOML text.

    Raises
    ------
    ConfigError
        For text that is not TOML, an unknown section or key, or a value of the wrong type or range.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as err:
        # Its own error is a ValueError; it lets those of endless numbers and endless nesting through.
        raise ConfigError(source, "TOML", str(err)) from err
    for name in tables:
        expected = "one of " + ", ".join(f"[{s}]" for s in _SECTIONS)
        _check(name in _SECTIONS, f"[{name}]", expected, "an unknown section")
    return Config(**{name: _section(_SECTIONS[name], name, t) for name, t in tables.items()})


def load_config(path: Path | None) -> Config:
    """Config from a file; the defaults if no file is named."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as err:
        received = (err.strerror or "none").lower()
        raise ConfigError(str(path), "a readable TOML file", received) from err
    except UnicodeDecodeError as err:
        raise ConfigError(str(path), "TOML in UTF-8", f"byte {err.start} of no text") from err
    return parse_config(text, source=str(path))
