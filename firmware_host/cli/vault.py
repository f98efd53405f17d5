"""``signet vault``: take what was learned away with you, or make an end of it."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, open_vault, places, print_json, say, settings
from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "vault",
        help="export everything, erase everything, or change the key",
        description="export: everything the vault holds into one archive, NOT encrypted. erase: destroy the "
        "vault's key and files for ever; --key-too also destroys the key file, which makes every "
        "copy unreadable, other vaults of that key too. rotate-key: seal the vault with a new key.",
    )
    parser.add_argument("what", choices=("export", "erase", "rotate-key"))
    parser.add_argument("--out", type=Path, metavar="FILE", help="the archive; never overwritten")
    parser.add_argument(
        "--skip-damaged", action="store_true", help="export what opens, and name what does not"
    )
    parser.add_argument("--yes", action="store_true", help="really erase")
    parser.add_argument("--key-too", action="store_true", help="erase the key file as well")
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Do it and say what was done."""
    config = settings(args)
    facts: dict[str, object]
    if args.what == "export":
        if args.out is None:
            raise ConfigError("--out", "a file for the archive", "none")
        from firmware_host.vault.wearer import export

        with open_vault(args, config, create=False, reads_only=True) as vault:
            done = export(vault, args.out, skip_damaged=args.skip_damaged)
        facts = {
            "archive": str(done.path),
            "records": done.n_records,
            "sha256": done.sha256,
            "damaged": list(done.damaged),
        }
        left_out = f"; {len(done.damaged)} damaged left out" if done.damaged else ""
        text = f"{sum(done.n_records.values())} records in {done.path}, NOT encrypted{left_out}"
    else:
        state, key = places(args, config)
        if args.what == "erase":
            facts, text = _erase(state, key if args.key_too else None, is_sure=args.yes)
        else:
            from firmware_host.vault.keys import rotate_key_file

            rotate_key_file(state, key)
            facts, text = {"key": str(key)}, f"sealed with a new key in {key}"
    if args.json:
        print_json(facts)
    else:
        say(text)
    return 0


def _erase(state: Path, key: Path | None, *, is_sure: bool) -> tuple[dict[str, object], str]:
    from firmware_host.vault.lock import streaming
    from firmware_host.vault.wearer import erase

    if not is_sure:
        raise ConfigError("--yes", f"--yes, to erase {state} for ever", "no --yes")
    # A stream that goes on would write into a vault that is no more.
    with streaming(state) if state.is_dir() else nullcontext():
        left = [str(path) for path in erase(state, key)]
    kept = f"; not ours and left: {', '.join(left)}" if left else ""
    return {"erased": str(state), "left": left}, f"erased {state}{kept}"
