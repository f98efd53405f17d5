"""Colours stay apart for people who do not see all of them, and text stays readable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from firmware_host.report.style import _DARK, _LIGHT, PALETTE, STYLE_SHEET

# Machado, Oliveira and Fernandes 2009, table of severity 1.0, on linear RGB.
VISION = {
    "full": np.eye(3).ravel(),
    "protanopia": [
        0.152286,
        1.052583,
        -0.204868,
        0.114503,
        0.786281,
        0.099216,
        -0.003882,
        -0.048116,
        1.051998,
    ],
    "deuteranopia": [
        0.367322,
        0.860646,
        -0.227968,
        0.280085,
        0.672501,
        0.047413,
        -0.011820,
        0.042940,
        0.968881,
    ],
    "tritanopia": [
        1.255528,
        -0.076749,
        -0.178779,
        -0.078411,
        0.930809,
        0.147602,
        0.004733,
        0.691367,
        0.303900,
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
# CIE76; about 2.3 is just noticeable, 20 is told apart in a narrow bar.
SMALLEST_DISTANCE = 20.0


def linear_rgb(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(XYZ[1] @ linear_rgb(c)) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_states_are_told_apart_when_colours_are_missing(vision: str, side: int) -> None:
    seen = {
        name: lab(np.reshape(VISION[vision], (3, 3)) @ linear_rgb(p[side]))
        for name, p in PALETTE.items()
    }
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > SMALLEST_DISTANCE, (a, b)


@pytest.mark.parametrize("theme", [_LIGHT, _DARK], ids=["light", "dark"])
def test_text_has_contrast(theme: dict[str, str]) -> None:
    for ground in ("page", "card", "plot"):
        assert contrast(theme["text"], theme[ground]) > 7.0
        assert contrast(theme["soft"], theme[ground]) > 4.5
    for mark in ("good", "bad", "personal"):
        assert contrast(theme[mark], theme["card"]) > 4.5


@pytest.mark.parametrize(("theme", "side"), [(_LIGHT, 0), (_DARK, 1)], ids=["light", "dark"])
def test_words_on_bars_have_contrast(theme: dict[str, str], side: int) -> None:
    for name in ("stress", "rest"):
        assert contrast(theme["on"], PALETTE[name][side]) > 4.5


def test_style_sheet_fetches_nothing() -> None:
    assert "url(" not in STYLE_SHEET
    assert "@import" not in STYLE_SHEET
    assert STYLE_SHEET.count("{") == STYLE_SHEET.count("}")
