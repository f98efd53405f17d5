"""What goes wrong between board and host: seeded, placed exactly, counted.

Faults in the bytes are placed by position in the stream and faults in time by the clock, so that
neither depends on how the stream is cut into chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.bad_line import ByteFaults, FaultCounters, FrameShuffle
from sim.line_account import LineAccount

if TYPE_CHECKING:
    from sim.board import VirtualBoard
    from sim.fault_plan import Edge, Fault, FaultPlan
    from sim.text_board import TextBoard

_GARBAGE_STREAM = 12


class _Crystal:
    """How far the board's clock has come by the true time; its rate may change on the way."""

    def __init__(self) -> None:
        self._true_s = self._board_s = 0.0
        self._rate = 1.0

    def set_ppm(self, ppm: float, true_s: float) -> None:
        """From ``true_s`` on, run ``ppm`` fast."""
        if self._rate == 1.0 + ppm * 1e-6:
            return
        self._true_s, self._board_s = true_s, self.at(true_s)
        self._rate = 1.0 + ppm * 1e-6

    def at(self, true_s: float) -> float:
        return self._board_s + (true_s - self._true_s) * self._rate

    def true(self, board_s: float) -> float:
        """The other way round, as far as the present rate lasts."""
        return self._true_s + (board_s - self._board_s) / self._rate


class FaultyBoard:
    """A board behind a bad line; the same methods as the board itself.

    A board that obeys no fault passes every byte on untouched.
    """

    def __init__(self, board: VirtualBoard | TextBoard, plan: FaultPlan, *, seed: int) -> None:
        self.board = board
        self.plan = plan
        self.counters = FaultCounters()
        self.account = LineAccount(lambda: board.channels) if plan else None
        """What arrived of what was sent, to the sample; None without faults."""
        self.struck: list[tuple[str, float, float]] = []
        """(kind, start_s, end_s) of every fault so far, true seconds after power on."""
        self.host_steps: list[tuple[float, float]] = []
        """(t_s, by_s) of every time that the host's clock was set."""
        self._bytes = ByteFaults(self.counters, seed=seed)
        self._frames = FrameShuffle(self.counters, seed=seed)
        self._crystal = _Crystal()
        self._rng = np.random.default_rng([seed, _GARBAGE_STREAM])
        self._edges = plan.edges()
        self._next: Edge | None = next(self._edges, None)
        self._on: list[Fault] = []
        self._garbage = b""
        self._waiting = bytearray()
        self._held = bytearray()
        self._now_s = 0.0

    @property
    def finished(self) -> bool:
        """Whether the body has nothing more to give."""
        return self.board.finished and not self._held and not self._waiting

    @property
    def dark_until_s(self) -> float | None:
        """When a board without power starts again, true seconds after power on."""
        dark_s = self.board.dark_until_s
        return None if dark_s is None else self._crystal.true(dark_s)

    @property
    def unplugged(self) -> bool:
        """Whether the cable is out at this moment."""
        return self._is_on("unplug")

    @property
    def host_step_s(self) -> float:
        """By how much the host's clock was set so far."""
        return sum(by_s for _, by_s in self.host_steps)

    @property
    def disk_is_full(self) -> bool:
        """Whether the simulated host has no room on its disk."""
        return self._is_on("full_disk")

    @property
    def short_bytes(self) -> int:
        """Most bytes that a read gives; 0 for no limit."""
        return int(min((f["max_bytes"] for f in self._active("short_reads")), default=0))

    def receive(self, data: bytes) -> None:
        """Bytes from the host; lost while the cable is out."""
        if not self.unplugged:
            self.board.receive(data)

    def advance(self, to_s: float, *, room_bytes: int | None = None) -> bytes:
        """Bytes that arrive until ``to_s``, faults included."""
        out = bytearray()
        while self._next is not None and self._next.t_s <= to_s:
            edge = self._next
            out += self._until(edge.t_s, room_bytes)
            if self.board.finished:
                # Nobody is there any more whom it could strike.
                return bytes(out)
            self._pass(edge)
            self._next = next(self._edges, None)
        out += self._until(to_s, room_bytes)
        return bytes(out)

    def _until(self, to_s: float, room_bytes: int | None) -> bytes:
        data = self.board.advance(self._crystal.at(to_s), room_bytes=self._room(room_bytes))
        self._now_s = max(self._now_s, to_s)
        if self.account is not None:
            self.account.sent(data)
        if self.unplugged:
            self.counters.unplugged_bytes += len(data)
            return b""
        is_over = self.board.finished
        self._waiting += data
        if self._is_on("slow_host") and not is_over:
            return b""
        self._held += self._over_the_line(bytes(self._waiting), is_over=is_over)
        self._waiting.clear()
        if self._is_on("stall") and not is_over:
            return b""
        out = bytes(self._held)
        self._held.clear()
        if self.account is not None:
            self.account.arrived(out, self._now_s)
        return out

    def _room(self, room_bytes: int | None) -> int | None:
        slow = [
            int(fault["buffer_bytes"]) - len(self._waiting) for fault in self._active("slow_host")
        ]
        return min((max(room, 0) for room in (*slow, room_bytes) if room is not None), default=None)

    def _over_the_line(self, data: bytes, *, is_over: bool) -> bytes:
        data = self._frames.take(data)
        if is_over:
            data += self._frames.flush()
        garbage, self._garbage = self._garbage, b""
        return self._bytes.take(garbage + data)

    def _pass(self, edge: Edge) -> None:
        """One moment of the plan."""
        fault = edge.fault
        if not edge.begins:
            self._on.remove(fault)
            self._set_rates()
            return
        end_s = min(edge.t_s + fault.for_s, fault.until_s)
        self.struck.append((fault.kind, edge.t_s, end_s))
        if fault.for_s > 0:
            self._on.append(fault)
        self._set_rates()
        strike = getattr(self, f"_strike_{fault.kind}", None)
        if strike is not None:
            strike(fault)

    def _strike_stall(self, _fault: Fault) -> None:
        self.counters.stalls += 1

    def _strike_slow_host(self, _fault: Fault) -> None:
        self.counters.slow_hosts += 1

    def _strike_full_disk(self, _fault: Fault) -> None:
        self.counters.full_disks += 1

    def _strike_reboot(self, fault: Fault) -> None:
        self.counters.reboots += 1
        self.board.reboot(dark_s=fault.for_s)

    def _strike_unplug(self, _fault: Fault) -> None:
        self.counters.unplugs += 1
        self.counters.unplugged_bytes += len(self._held) + len(self._waiting)
        self._held.clear()
        self._waiting.clear()

    def _strike_clock_jump(self, fault: Fault) -> None:
        if fault["board_jump_s"]:
            self.counters.board_jumps += 1
            self.board.leap(fault["board_jump_s"])
        if fault["host_step_s"]:
            self.counters.host_steps += 1
            self.host_steps.append((self._now_s, fault["host_step_s"]))

    def _strike_brown_out(self, fault: Fault) -> None:
        self.counters.brown_out_resets += 1
        self.board.reboot(dark_s=fault["apart_s"] / 2)
        garbage = self._rng.bytes(int(fault["garbage_bytes"]))
        self.counters.garbage_bytes += len(garbage)
        if not self.unplugged:
            self._garbage += garbage

    def _set_rates(self) -> None:
        flip, drop, double = (
            min(sum(f["rate_per_byte"] for f in self._active(kind)), 0.5)
            for kind in ("corrupt", "drop", "duplicate")
        )
        self._bytes.set_rates(flip=flip, drop=drop, duplicate=double)
        late = sum(fault["rate_per_frame"] for fault in self._active("reorder"))
        self._frames.set_rate(min(late, 0.5))
        self._crystal.set_ppm(sum(f["drift_ppm"] for f in self._active("drift")), self._now_s)

    def _active(self, kind: str) -> list[Fault]:
        return [fault for fault in self._on if fault.kind == kind]

    def _is_on(self, kind: str) -> bool:
        return any(fault.kind == kind for fault in self._on)
