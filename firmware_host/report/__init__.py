"""One self-contained page about a recording: sensed, decided, learned, and what left the host.

Numbers and pictures only from what the caller gives (`ReportData`); no model runs here and
nothing is fetched.
"""

from __future__ import annotations

from firmware_host.report.day import DayStory, WalkingDay
from firmware_host.report.envelope import EnvelopeBuilder
from firmware_host.report.model import (
    BeforeAfter,
    ChannelHealth,
    Confusion,
    FeatureShift,
    GaitScores,
    HostCost,
    LedgerEntry,
    LedgerScore,
    Privacy,
    ProbabilityTrack,
    ReportData,
    Sent,
    Signal,
)
from firmware_host.report.page import render
from firmware_host.report.writer import write_report

__all__ = [
    "BeforeAfter",
    "ChannelHealth",
    "Confusion",
    "DayStory",
    "EnvelopeBuilder",
    "FeatureShift",
    "GaitScores",
    "HostCost",
    "LedgerEntry",
    "LedgerScore",
    "Privacy",
    "ProbabilityTrack",
    "ReportData",
    "Sent",
    "Signal",
    "WalkingDay",
    "render",
    "write_report",
]
