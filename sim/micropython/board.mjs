// A board: the official MicroPython build, its prompt on descriptors 0 and 1.
//   board.mjs FLASH ROM BODY ASK ANSWER [SECONDS]: FLASH is the folder that is its flash, ROM holds machine.py and
//   the chips, BODY is the descriptor on which the body comes (body.mjs); what it says to a cue is asked on ASK
//   and comes on ANSWER; with SECONDS its clock is virtual, counts only what the interpreter does, and stops there.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
import fs from "node:fs";
import path from "node:path";
import { Body } from "./body.mjs";
import { load, save } from "./flash.mjs";
import { Heard, Said, pause } from "./line.mjs";

const [flash, rom, fd, ask, answer, seconds] = process.argv.slice(2);
const endMs = seconds === undefined ? Infinity : Number(seconds) * 1000;
const isVirtual = endMs < Infinity;
const body = new Body(Number(fd));
const { facts } = body;
const CTRL_C = 3;
// A call of the clock takes a real board some microseconds.
const CALL_MS = 0.05;

// ---- The line. In real time the board's clock keeps step with the world's, but never leaps: a process has to wait
// for others where a board has its chip to itself. What it lacks it makes up for by sleeping less.
const clock = { ms: 0 };
const heard = new Heard(facts.say ?? [], clock, isVirtual);
const said = new Said(facts, clock, isVirtual);
const put = (bytes) => said.put(bytes);
const flush = () => said.flush();
const say = (text) => put(Buffer.from(text.replace(/\r?\n/g, "\r\n"), "latin1"));
function wait() {
  while (!heard.n()) {
    flush();
    if (heard.isOver()) return null;
    if (isVirtual) {
      // At the prompt no time passes but by what the host says next.
      if (heard.nextMs() === undefined) return null;
      clock.ms = Math.max(clock.ms, heard.nextMs());
      continue;
    }
    heard.waitForMore(said.n ? 5 : 1000);
  }
  if (!isVirtual) {
    // Waiting at the prompt is no lateness.
    lastMs = performance.now();
    clock.ms = lastMs - startMs;
  }
  return heard.take();
}

// ---- Time. Every tick and delay of the interpreter comes through Date.now: the place for Ctrl-C, too.
const realNow = Date.now.bind(Date);
const epochMs = realNow();
const STEP_MS = 2;
const HOPELESS_MS = 5000;
let startMs = performance.now();
let lastMs = startMs;
let flushedMs = 0;
let nTight = 0;
let mp;
const nowMs = () => clock.ms;
function interrupt() {
  if (!mp || !heard.newC()) return;
  if (mp._module._mp_hal_get_interrupt_char() !== CTRL_C) return;
  heard.dropToC();
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
    clock.ms += CALL_MS;
    if (clock.ms >= endMs) {
      flush();
      process.exit(0);
    }
  } else {
    interrupt();
    // A loop that only looks at the clock rests, or it would take a whole core.
    const now = performance.now();
    clock.ms += Math.min(now - lastMs, STEP_MS);
    nTight = now - lastMs < 0.05 ? nTight + 1 : 0;
    lastMs = now;
    if (said.n && now - flushedMs > 1) {
      flushedMs = now;
      flush();
    }
    if (nTight > 40) {
      nTight = 0;
      pause(0.5);
    }
  }
  outage ??= body.outage(nowMs());
}
function sleep(ms) {
  if (isVirtual) {
    clock.ms += ms;
    pass();
    return;
  }
  const lackMs = performance.now() - startMs - clock.ms;
  if (lackMs > HOPELESS_MS) startMs += lackMs;
  const end = performance.now() + ms - (lackMs > HOPELESS_MS ? 0 : lackMs);
  let leftMs;
  while ((leftMs = end - performance.now()) > 0) {
    flush();
    interrupt();
    pause(Math.min(leftMs, 20));
  }
  clock.ms += ms;
  lastMs = performance.now();
  flush();
  pass();
}
// Without power: nothing is heard, and the line is silent.
function rest(untilMs) {
  flush();
  said.n = 0;
  if (isVirtual) clock.ms = Math.max(clock.ms, untilMs);
  else {
    pause(Math.max(0, untilMs - clock.ms));
    lastMs = performance.now();
    clock.ms = Math.max(clock.ms, untilMs);
  }
  while (heard.n()) heard.take();
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
  const reply = Buffer.alloc(16);
  reply.writeDoubleLE(body.seconds(nowMs()));
  fs.writeSync(Number(ask), reply, 0, 8);
  fs.readSync(Number(answer), reply, 0, 16);
  const [from, to] = [reply.readDoubleLE(0), reply.readDoubleLE(8)];
  if (to > from) body.press(from, to);
}
const hardware = {
  waiting: () => heard.n(),
  room: () => said.hasRoom(),
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

// ---- Boots.
let nBoots = 0;
let isRaw = false;
async function boot() {
  nBoots += 1;
  wish = null;
  mp = null;
  mp = await loadMicroPython({ heapsize: 256 * 1024, stdout: put, stderr: put, linebuffer: false, stdin: () => heard.take() });
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
  heard.forgetC();
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
