"""Writing TOML: the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def to_toml(values: Mapping[str, Any]) -> str:
    """Nested mappings of strings, numbers, booleans and lists of these -> TOML, in order."""
    return "\n".join(_table("", values)).lstrip("\n") + "\n"


def _table(where: str, values: Mapping[str, Any]) -> list[str]:
    plain = {key: v for key, v in values.items() if not isinstance(v, Mapping)}
    tables = {key: v for key, v in values.items() if isinstance(v, Mapping)}
    lines = [f"{_key(key)} = {_value(v)}" for key, v in plain.items()]
    if where and (lines or not tables):
        lines = ["", f"[{where}]", *lines]
    for key, inner in tables.items():
        lines += _table(f"{where}.{_key(key)}".lstrip("."), inner)
    return lines


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return _list([_value(v) for v in value])
    # repr of a Python float is the shortest text that reads back as the same number.
    return repr(value)


def _list(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(line) <= 90:
        return line
    return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
