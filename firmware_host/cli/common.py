"""What every verb shares: options, places, printing."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.config import Config, load_config
from firmware_host.errors import ConfigError, VaultError

if TYPE_CHECKING:
    from firmware_host.vault.records import Vault

Handler = Callable[[argparse.Namespace], int]

DEVICE_HELP = (
    "where the board is: /dev/serial/by-id/..., socket://host:port, replay:FILE?speed=max, "
    "synthetic:?seed=7&scenario=day"
)


def add_shared(parser: argparse.ArgumentParser, *, state: bool = True) -> None:
    """Options of every verb."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    parser.add_argument("--log", choices=("debug", "info", "warning", "error"), help="log level")
    parser.add_argument("--json", action="store_true", help="print data as JSON for machines")
    if state:
        parser.add_argument("--state", type=Path, metavar="DIR", help="folder of the vault")
        parser.add_argument("--key-file", type=Path, metavar="FILE", help="file that opens it")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Options of verbs that run a model."""
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="model bundle, not the shipped")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Options of verbs that stream."""
    parser.add_argument("--device", metavar="URL", help=DEVICE_HELP)


def settings(args: argparse.Namespace) -> Config:
    """The config file that was named, and logging set up from it."""
    config = load_config(args.config)
    level = (args.log or config.log.level).upper()
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname).1s %(name)s: %(message)s"
    )
    return config


def device_url(args: argparse.Namespace, config: Config) -> str:
    """The device asked for.

    Raises
    ------
    ConfigError
        If neither the option nor the config file names one.
    """
    url: str = args.device or config.device.url
    if not url:
        raise ConfigError("--device", "a device URL; signet ports lists what is plugged in", "")
    return url


def places(args: argparse.Namespace, config: Config) -> tuple[Path, Path]:
    """State folder and key file; a key inside the state folder is refused."""
    state: Path = args.state or config.state_dir()
    key: Path = args.key_file or config.key_file()
    if state.resolve() in key.resolve().parents:
        raise ConfigError("--key-file", "a file outside the state folder", str(key))
    return state, key


def open_vault(args: argparse.Namespace, config: Config, *, create: bool) -> Vault:
    """The wearer's vault, made on first use where ``create`` allows it.

    Raises
    ------
    VaultError
        If there is none and none may be made, or the key does not open it.
    """
    from firmware_host.vault.database import DATABASE_NAME
    from firmware_host.vault.records import Vault

    state, key = places(args, config)
    exists = (state / DATABASE_NAME).exists()
    if not exists and not create:
        msg = f"no vault in {state}: nothing was streamed or enrolled yet (signet run makes one)"
        raise VaultError(msg)
    return Vault.open(state, key) if exists else Vault.create(state, key)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on one line of standard output."""
    print(json.dumps(value, sort_keys=True, default=str), flush=True)


def say(text: str) -> None:
    """A line for a person, on standard error so that standard output stays data."""
    print(text, file=sys.stderr, flush=True)
