// A board: the official MicroPython build, its prompt on descriptors 0 and 1.
//   board.mjs FLASH ROM BODY ASK ANSWER [SECONDS]: FLASH is the folder that is its flash, ROM holds machine.py and
//   the chips, BODY is the descriptor on which the body comes (body.mjs); what it says to a cue is asked on ASK
//   and comes on ANSWER; with SECONDS its clock is virtual, counts only what the interpreter does, and stops there.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
import fs from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { Body } from "./body.mjs";

const [flash, rom, fd, ask, answer, seconds] = process.argv.slice(2);
const endMs = seconds === undefined ? Infinity : Number(seconds) * 1000;
const isVirtual = endMs < Infinity;
const body = new Body(Number(fd));
const { facts } = body;
const CTRL_C = 3;
// What a small board's USB driver holds, and a frame of the greatest length.
const TX_BYTES = 4096;
const FRAME_BYTES = 256;
// A call of the clock takes a real board some microseconds.
const CALL_MS = 0.05;

// ---- Bytes from the host.
const SIZE = 65536;
const shared = new SharedArrayBuffer(16 + SIZE);
const at = new Int32Array(shared, 0, 4);
const rx = new Uint8Array(shared, 16, SIZE);
const script = (facts.say ?? []).map(([s, hex]) => [s * 1000, Buffer.from(hex, "hex")]);
const reader = isVirtual ? null : new Worker(new URL("./reader.mjs", import.meta.url), { workerData: { shared, size: SIZE, fd: 0 } });
reader?.unref();
function hear() {
  // In virtual time the host's words come from a script, when they are due.
  while (script.length && script[0][0] <= nowMs()) {
    for (const byte of script.shift()[1]) {
      rx[at[0]] = byte;
      at[0] = (at[0] + 1) % SIZE;
    }
  }
}
function nWaiting() {
  hear();
  return (Atomics.load(at, 0) - Atomics.load(at, 1) + SIZE) % SIZE;
}
function take() {
  if (!nWaiting()) return null;
  const tail = Atomics.load(at, 1);
  const byte = rx[tail];
  Atomics.store(at, 1, (tail + 1) % SIZE);
  Atomics.notify(at, 1);
  return byte;
}
function wait() {
  while (!nWaiting()) {
    flush();
    if (Atomics.load(at, 3)) return null;
    if (isVirtual) {
      // At the prompt no time passes but by what the host says next.
      if (!script.length) return null;
      boardMs = Math.max(boardMs, script[0][0]);
      continue;
    }
    Atomics.wait(at, 0, Atomics.load(at, 0), nTx ? 5 : 1000);
  }
  if (!isVirtual) {
    // Waiting at the prompt is no lateness.
    lastMs = performance.now();
    boardMs = lastMs - startMs;
  }
  return take();
}

// ---- Bytes to the host.
const isIn = (spans, ms) => spans.some(([from, to]) => from * 1000 <= ms && ms < to * 1000);
// The interpreter gives byte after byte; they leave together.
const tx = Buffer.alloc(2 * TX_BYTES);
let nTx = 0;
const never = new Int32Array(new SharedArrayBuffer(4));
function flush() {
  let n = 0;
  while (n < nTx) {
    try {
      n += fs.writeSync(1, tx, n, nTx - n);
    } catch (error) {
      if (error.code !== "EAGAIN") process.exit(0);
      break;
    }
  }
  tx.copyWithin(0, n, nTx);
  nTx -= n;
}
// A port that waits for a host that holds it and reads nothing: what no longer fits is lost after that wait,
// one for each write, in which no other time passes.
const STALL_BYTES = 256;
const STALL_MS = 500;
let nStalled = 0;
let lostMs = -1;
function isStalled() {
  const is = isIn(facts.stalled, nowMs());
  if (!is) nStalled = 0;
  return is;
}
function hasPlace() {
  if (!isStalled()) return true;
  if (nStalled < STALL_BYTES) {
    nStalled += 1;
    return true;
  }
  if (lostMs !== nowMs()) lostMs = boardMs += STALL_MS;
  return false;
}
function put(bytes) {
  for (const byte of bytes) {
    if (isVirtual && !hasPlace()) continue;
    // A prompt waits until it is read; frames are only sent when there is room.
    while (nTx === tx.length) {
      flush();
      if (nTx === tx.length) Atomics.wait(never, 0, 0, 1);
    }
    tx[nTx++] = byte;
  }
}
const say = (text) => put(Buffer.from(text.replace(/\r?\n/g, "\r\n"), "latin1"));

// ---- Time. Every tick and delay of the interpreter comes through Date.now: the place for Ctrl-C, too.
const realNow = Date.now.bind(Date);
const epochMs = realNow();
// The board's own time. In real time it keeps step with the world's, but never leaps: a process has to wait for
// others where a board has its chip to itself. What it lacks it makes up for by sleeping less.
let boardMs = 0;
const STEP_MS = 2;
const HOPELESS_MS = 5000;
let startMs = performance.now();
let seenC = 0;
let lastMs = startMs;
let flushedMs = 0;
let nTight = 0;
let mp;
const nowMs = () => boardMs;
function interrupt() {
  const c = Atomics.load(at, 2);
  if (c === seenC || !mp) return;
  seenC = c;
  if (mp._module._mp_hal_get_interrupt_char() !== CTRL_C) return;
  Atomics.store(at, 1, c & 0xfffff);
  mp._module._mp_sched_keyboard_interrupt();
}
// What no program can stop: it ends here, in a call of the interpreter's own.
function strike() {
  if (!mp) return;
  if (dog.ms && !dog.isFed && nowMs() > dog.fedMs + dog.ms) {
    wish = "watchdog";
    throw new Error(wish);
  }
  if (outage && nowMs() >= outage[0]) {
    wish = "power";
    throw new Error(wish);
  }
}
Date.now = () => {
  pass();
  strike();
  return epochMs + nowMs();
};
function pass() {
  if (isVirtual) {
    boardMs += CALL_MS;
    if (boardMs >= endMs) {
      flush();
      process.exit(0);
    }
  } else {
    interrupt();
    // A loop that only looks at the clock rests, or it would take a whole core.
    const now = performance.now();
    boardMs += Math.min(now - lastMs, STEP_MS);
    nTight = now - lastMs < 0.05 ? nTight + 1 : 0;
    lastMs = now;
    if (nTx && now - flushedMs > 1) {
      flushedMs = now;
      flush();
    }
    if (nTight > 40) {
      nTight = 0;
      Atomics.wait(never, 0, 0, 0.5);
    }
  }
  outage ??= body.outage(nowMs());
}
function sleep(ms) {
  if (isVirtual) {
    boardMs += ms;
    pass();
    return;
  }
  const lackMs = performance.now() - startMs - boardMs;
  if (lackMs > HOPELESS_MS) startMs += lackMs;
  const end = performance.now() + ms - (lackMs > HOPELESS_MS ? 0 : lackMs);
  let leftMs;
  while ((leftMs = end - performance.now()) > 0) {
    flush();
    interrupt();
    Atomics.wait(never, 0, 0, Math.min(leftMs, 20));
  }
  boardMs += ms;
  lastMs = performance.now();
  flush();
  pass();
}
// Without power: nothing is heard, and the line is silent.
function rest(untilMs) {
  flush();
  nTx = 0;
  if (isVirtual) boardMs = Math.max(boardMs, untilMs);
  else {
    Atomics.wait(never, 0, 0, Math.max(0, untilMs - boardMs));
    lastMs = performance.now();
    boardMs = Math.max(boardMs, untilMs);
  }
  while (nWaiting()) take();
  outage = null;
  pass();
}

// ---- The hardware that machine.py asks.
const dog = { ms: 0, fedMs: 0, isFed: false };
let outage = null;
const [POWER, WATCHDOG] = [1, 3];
let cause = POWER;
let wish = null;
// Two taps of one pattern are one cue.
const CUE_MS = 1000;
let cuedMs = -Infinity;
function buzz() {
  const isNew = nowMs() - cuedMs > CUE_MS;
  cuedMs = nowMs();
  if (!isNew) return;
  const said = Buffer.alloc(16);
  said.writeDoubleLE(body.seconds(nowMs()));
  fs.writeSync(Number(ask), said, 0, 8);
  fs.readSync(Number(answer), said, 0, 16);
  const [from, to] = [said.readDoubleLE(0), said.readDoubleLE(8)];
  if (to > from) body.press(from, to);
}
const hardware = {
  waiting: nWaiting,
  room: () => {
    if (isVirtual) return !isIn(facts.deaf, nowMs());
    flush();
    return nTx + FRAME_BYTES <= TX_BYTES;
  },
  sleep,
  now_ms: () => Math.floor(nowMs()),
  has: (name) => facts.parts.includes(name),
  channel: (name) => body.names.get(name) ?? -1,
  axes: (i) => body.channels[i]?.axes ?? 3,
  count: (i, axis) => body.count(i, axis, nowMs()),
  finger: () => body.finger(nowMs()),
  worn: () => body.now(facts.worn, nowMs()) > 0,
  battery: () => body.now(facts.battery, nowMs()),
  buzz,
  is_dead: (pin) => facts.dead_adcs.includes(pin),
  is_bus_broken: () => facts.broken.some(([from, to]) => from <= body.seconds(nowMs()) && body.seconds(nowMs()) < to),
  // How often the chips have lost their supply for a moment.
  dips: () => facts.dips.filter((s) => s <= body.seconds(nowMs())).length,
  pin: (name, value) => {
    if (facts.tell_pins) fs.writeSync(2, `pin ${name} ${value} ${(nowMs() / 1000).toFixed(3)}\n`);
  },
  watchdog: (ms) => Object.assign(dog, { ms, fedMs: nowMs() }),
  feed: () => {
    dog.fedMs = nowMs();
  },
  feeder: (isFed) => Object.assign(dog, { isFed, fedMs: nowMs() }),
  unique_id: () => facts.unique_id,
  reset_cause: () => cause,
  reset: (what) => {
    wish = what ? "bootloader" : "reset";
  },
  // Another number at each boot; small, so that it is a whole number there too.
  random: () => (parseInt(facts.random, 16) + Math.imul(nBoots, 0x9e3779b1)) & 0x3fffffff,
};

// ---- Flash.
function load(FS, host, to) {
  for (const entry of fs.readdirSync(host, { withFileTypes: true })) {
    const from = path.join(host, entry.name);
    if (!entry.isDirectory()) {
      FS.writeFile(to + entry.name, fs.readFileSync(from));
    } else if (!["__pycache__", "node_modules"].includes(entry.name)) {
      FS.mkdir(to + entry.name);
      load(FS, from, `${to}${entry.name}/`);
    }
  }
}
function save(FS, from, host) {
  const names = FS.readdir(from).filter((name) => name !== "." && name !== "..");
  for (const name of names) {
    const to = path.join(host, name);
    if (FS.isDir(FS.stat(from + name).mode)) {
      fs.mkdirSync(to, { recursive: true });
      save(FS, `${from}${name}/`, to);
    } else {
      const data = FS.readFile(from + name);
      if (!fs.existsSync(to) || !fs.readFileSync(to).equals(Buffer.from(data))) fs.writeFileSync(to, data);
    }
  }
  for (const name of fs.readdirSync(host)) {
    if (!names.includes(name)) fs.rmSync(path.join(host, name), { recursive: true });
  }
}

// ---- Boots.
let nBoots = 0;
let isRaw = false;
async function boot() {
  nBoots += 1;
  wish = null;
  mp = null;
  mp = await loadMicroPython({ heapsize: 256 * 1024, stdout: put, stderr: put, linebuffer: false, stdin: take });
  mp.FS.mkdir("/flash");
  mp.FS.mkdir("/rom");
  load(mp.FS, flash, "/flash/");
  load(mp.FS, rom, "/rom/");
  mp.registerJsModule("_hw", hardware);
  mp.runPython(fs.readFileSync(new URL("./lib/vfsmap.py", import.meta.url), "utf8"));
  mp.runPython("import time, _hw\ntime.sleep_ms = _hw.sleep\nimport random\nrandom.seed(_hw.random())");
  for (const file of isRaw ? ["boot.py"] : ["boot.py", "main.py"]) {
    if (!fs.existsSync(path.join(flash, file))) continue;
    try {
      mp.runPython(`exec(compile(open('/${file}').read(), '${file}', 'exec'))`);
    } catch (error) {
      if (!wish && !String(error.message).includes("SystemExit")) say(`${error.message}\n`);
    }
    if (wish) return;
  }
  mp.runPython("import micropython\nmicropython.kbd_intr(3)");
  mp.replInit();
  if (isRaw) mp.replProcessChar(1);
}
function settle() {
  save(mp.FS, "/flash/", flash);
  flush();
  if (wish === "bootloader") process.exit(64);
  cause = { power: POWER, watchdog: WATCHDOG }[wish] ?? facts.reset_cause;
  if (wish === "power") rest(outage[1]);
  Object.assign(dog, { ms: 0, isFed: false });
  isRaw = false;
}
async function start() {
  do {
    if (wish) settle();
    // A soft reset ends timers, but not the watchdog.
    if (dog.isFed) hardware.feeder(false);
    await boot();
  } while (wish);
}

await start();
// Raw paste is answered as boards do that do not have it: this build would wait for ever.
const RAW_PASTE = [5, 0x41, 1];
let asked = [];
for (;;) {
  const byte = wait();
  if (byte === null) process.exit(0);
  if (isRaw && (asked.length || byte === RAW_PASTE[0])) {
    asked.push(byte);
    if (asked.every((each, i) => each === RAW_PASTE[i])) {
      if (asked.length === RAW_PASTE.length) {
        put(Buffer.from("R\0"));
        asked = [];
      }
      continue;
    }
    for (const each of asked) mp.replProcessChar(each);
    asked = [];
    continue;
  }
  seenC = Atomics.load(at, 2);
  if (byte === 1) isRaw = true;
  else if (byte === 2) isRaw = false;
  let ended = 0;
  try {
    ended = mp.replProcessChar(byte);
  } catch (error) {
    if (!wish) throw error;
  }
  if (byte === 4) save(mp.FS, "/flash/", flash);
  flush();
  if (wish) {
    await start();
  } else if (ended & 0x100) {
    put(Buffer.from("MPY: soft reboot\r\n"));
    await start();
  }
}
