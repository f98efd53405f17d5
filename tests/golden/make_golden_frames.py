"""Writes frames.json: frame fields and the bytes they must become. Run after a change of SPEC.md only."""

from __future__ import annotations

import json
import random
from pathlib import Path

from firmware_host.protocol import frame


def cases() -> list[list[object]]:
    chance = random.Random(1)
    out: list[list[object]] = []
    payloads = [b"\x01", b"\x00", bytes(234), bytes(range(234)), b"\xff" * 234]
    payloads += [chance.randbytes(chance.randint(1, 234)) for _ in range(35)]
    for i, payload in enumerate(payloads):
        head = (chance.randint(1, 7), i % 32, chance.getrandbits(16), chance.getrandbits(16))
        tail = (chance.getrandbits(32), chance.getrandbits(16))
        code = frame.encode(*head, *tail, payload)
        out.append([*head, *tail, payload.hex(), code.hex()])
    return out


if __name__ == "__main__":
    target = Path(__file__).with_name("frames.json")
    target.write_text("[\n" + ",\n".join(map(json.dumps, cases())) + "\n]\n")
