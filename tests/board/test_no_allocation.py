"""From the due time to the sample in its block nothing is allocated: proved by the interpreter itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.board.conftest import BOARD, REPO, RUNNER

pytestmark = pytest.mark.needs_node

# The bus and the converter of a real board allocate nothing; these do as they do.
CODE = """
import micropython, sys
sys.path.insert(0, "/app")
from time import ticks_add
import channel, clock

class Bus:
    def __init__(self): self.at = 0
    def readfrom_mem_into(self, address, register, buffer):
        self.at = (self.at + 1) & 255
        for i in range(len(buffer)): buffer[i] = (self.at + i) & 255
        if len(buffer) == 1: buffer[0] = ids[register]
        if len(buffer) == 3 and register == 4: buffer[1] = 0
        if address == 0x48 and register == 0x0F: buffer[0], buffer[1] = 0x01, 0x17
    def writeto_mem(self, address, register, data): pass
class Adc:
    def read_u16(self): return 40000
# As they are read back: CTRL1_XL without a rate, PWR_MGMT_1 awake.
ids = {0x0F: 0x6A, 0x12: 0, 0x75: 0x68, 0xFF: 0x15, 0x09: 0, 0x10: 0, 0x6B: 1}

from sensors.lsm6ds3 import Lsm6ds3
from sensors.mpu6050 import Mpu6050
from sensors.max30102 import Max30102
from sensors.tmp117 import Tmp117
from sensors.eda import Eda
bus = Bus()
sensors = [Lsm6ds3(bus, 0x6A), Mpu6050(bus, 0x68), Max30102(bus, 0x57), Tmp117(bus, 0x48), Eda(Adc(), 60.0)]
sources = [channel.Source("x", sensor) for sensor in sensors]
clock = clock.Clock()

class Board:
    # The very code of the app, without the rest of it.

    is_streaming = True
    def __init__(self):
        self.sources = sources
        self.clock = clock
        self._due = 0
        self.n_full = self.n_late = 0
    def _send(self, stream):
        self.n_full += 1
        stream.block.n = 0
import app
for name in ("sample", "take", "_next_due", "_miss"): setattr(Board, name, getattr(app.Board, name))
board = Board()
start = clock.tick()
n = 0
for source in sources:
    for stream in source.streams:
        stream.begin(n, 1, 100000, start)
        n += 1

def live(now, step, n):
    taken = 0
    while taken < n:
        board.sample(now)
        now = ticks_add(now, step)
        taken += 1

def locked(f, *args):
    failed = 0
    micropython.heap_lock()
    try:
        f(*args)
    except MemoryError:
        failed = 1
    micropython.heap_unlock()
    return failed

def allocate():
    return bytearray(30)

print("lock", locked(allocate))
print("sampling", locked(live, start, 10000, 500), board.n_full > 40, board.n_late)
late = ticks_add(board._due, 35000)
print("late", locked(live, late, 10000, 3), board.n_late)
"""


def test_sampling_allocates_nothing(tmp_path) -> None:
    script = tmp_path / "proof.mjs"
    app = tmp_path / "app"
    shutil.copytree(BOARD, app)
    shutil.copy(REPO / "firmware_host" / "protocol" / "frame.py", app)
    (app / "machine.py").write_text("Pin = ADC = I2C = WDT = Timer = None\n")
    (tmp_path / "proof.py").write_text(CODE)
    package = RUNNER / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
    script.write_text(
        f"""
import {{ loadMicroPython }} from "{package / "micropython.mjs"}";
import fs from "node:fs";
const mp = await loadMicroPython({{
  stdout: (bytes) => fs.writeSync(1, bytes), linebuffer: false,
}});
for (const folder of ["/app", "/app/sensors"]) {{
  mp.FS.mkdir(folder);
  for (const name of fs.readdirSync("{tmp_path}" + folder))
    if (name.endsWith(".py")) mp.FS.writeFile(folder + "/" + name, fs.readFileSync("{tmp_path}" + folder + "/" + name));
}}
mp.runPython(fs.readFileSync("{tmp_path}/proof.py", "utf8"));
"""
    )
    done = subprocess.run(["node", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split("\n") == ["lock 1", "sampling 0 True 0", "late 0 21", ""], done.stderr
