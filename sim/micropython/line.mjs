// The line to the host: bytes that come, and bytes that leave. `clock.ms` is the board's own time, `isVirtual` where
// that is no real one.
import fs from "node:fs";
import { Worker } from "node:worker_threads";

export const pause = (ms) => Atomics.wait(never, 0, 0, ms);
const never = new Int32Array(new SharedArrayBuffer(4));

const SIZE = 65536;
export class Heard {
  // What the host says in virtual time is a script: [seconds, bytes in hex].
  constructor(script, clock, isVirtual) {
    this.script = script.map(([s, hex]) => [s * 1000, Buffer.from(hex, "hex")]);
    this.clock = clock;
    const shared = new SharedArrayBuffer(16 + SIZE);
    // Who writes what is told in reader.mjs.
    this.at = new Int32Array(shared, 0, 4);
    this.ring = new Uint8Array(shared, 16, SIZE);
    this.seenC = 0;
    if (isVirtual) return;
    new Worker(new URL("./reader.mjs", import.meta.url), { workerData: { shared, size: SIZE, fd: 0 } }).unref();
  }
  n() {
    const { at, script, ring } = this;
    while (script.length && script[0][0] <= this.clock.ms) {
      for (const byte of script.shift()[1]) {
        ring[at[0]] = byte;
        at[0] = (at[0] + 1) % SIZE;
      }
    }
    return (Atomics.load(at, 0) - Atomics.load(at, 1) + SIZE) % SIZE;
  }
  take() {
    if (!this.n()) return null;
    const tail = Atomics.load(this.at, 1);
    const byte = this.ring[tail];
    Atomics.store(this.at, 1, (tail + 1) % SIZE);
    Atomics.notify(this.at, 1);
    return byte;
  }
  isOver() {
    return Boolean(Atomics.load(this.at, 3));
  }
  waitForMore(ms) {
    Atomics.wait(this.at, 0, Atomics.load(this.at, 0), ms);
  }
  // When the script goes on; undefined after its end.
  nextMs() {
    return this.script[0]?.[0];
  }
  // Whether a Ctrl-C came since this was asked, or since `forgetC`.
  newC() {
    const c = Atomics.load(this.at, 2);
    if (c === this.seenC) return false;
    this.seenC = c;
    return true;
  }
  forgetC() {
    this.seenC = Atomics.load(this.at, 2);
  }
  // Everything up to that Ctrl-C was for the program that it ends.
  dropToC() {
    Atomics.store(this.at, 1, this.seenC & 0xfffff);
  }
}

// What a small board's USB driver holds, and a frame of the greatest length.
const TX_BYTES = 4096;
const FRAME_BYTES = 256;
// A port that waits for a host that holds it and reads nothing: what no longer fits is lost after that wait,
// one for each write, in which no other time passes.
const STALL_BYTES = 256;
const STALL_MS = 500;
export class Said {
  // `stalled` and `deaf` are spans of virtual seconds.
  constructor({ stalled, deaf }, clock, isVirtual) {
    Object.assign(this, { stalled, deaf, clock, isVirtual });
    // The interpreter gives byte after byte; they leave together.
    this.bytes = Buffer.alloc(2 * TX_BYTES);
    this.n = 0;
    this.nStalled = 0;
    this.lostMs = -1;
  }
  flush() {
    let n = 0;
    while (n < this.n) {
      try {
        n += fs.writeSync(1, this.bytes, n, this.n - n);
      } catch (error) {
        if (error.code !== "EAGAIN") process.exit(0);
        break;
      }
    }
    this.bytes.copyWithin(0, n, this.n);
    this.n -= n;
  }
  put(bytes) {
    for (const byte of bytes) {
      if (this.isVirtual && !this.hasPlace()) continue;
      // A prompt waits until it is read; frames are only sent when there is room.
      while (this.n === this.bytes.length) {
        this.flush();
        if (this.n === this.bytes.length) pause(1);
      }
      this.bytes[this.n++] = byte;
    }
  }
  hasRoom() {
    if (this.isVirtual) return !this.isIn(this.deaf);
    this.flush();
    return this.n + FRAME_BYTES <= TX_BYTES;
  }
  hasPlace() {
    if (!this.isIn(this.stalled)) {
      this.nStalled = 0;
      return true;
    }
    if (this.nStalled < STALL_BYTES) {
      this.nStalled += 1;
      return true;
    }
    if (this.lostMs !== this.clock.ms) this.lostMs = this.clock.ms += STALL_MS;
    return false;
  }
  isIn(spans) {
    return spans.some(([from, to]) => from * 1000 <= this.clock.ms && this.clock.ms < to * 1000);
  }
}
