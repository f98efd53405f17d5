// What the body feels, sent ahead by the process that lives it: a line of JSON, then pieces of samples.
//   piece: u8 channel, u8 0, u16 samples, then i32 samples x axes
import fs from "node:fs";

// An app that begins tries its converters; it takes its first sample later than that.
const BOOT_MS = 100;

export class Body {
  constructor(fd) {
    this.fd = fd;
    this.ahead = Buffer.alloc(0);
    this.isOver = false;
    let end;
    while ((end = this.ahead.indexOf(10)) < 0 && !this.isOver) this.more();
    this.facts = JSON.parse(this.ahead.subarray(0, end).toString());
    this.ahead = this.ahead.subarray(end + 1);
    this.channels = this.facts.channels.map((channel) => ({ ...channel, pieces: new Map(), n: 0, last: null }));
    this.names = new Map(this.channels.map((channel, i) => [channel.name, i]));
    this.startMs = null;
    this.presses = this.facts.presses;
  }
  more() {
    const piece = Buffer.alloc(65536);
    const n = fs.readSync(this.fd, piece, 0, piece.length);
    if (n === 0) this.isOver = true;
    this.ahead = Buffer.concat([this.ahead, piece.subarray(0, n)]);
  }
  take() {
    while (this.ahead.length < 4 && !this.isOver) this.more();
    if (this.ahead.length < 4) return;
    const channel = this.channels[this.ahead[0]];
    const n = this.ahead.readUInt16LE(2);
    const size = 4 + 4 * n * channel.axes;
    while (this.ahead.length < size && !this.isOver) this.more();
    if (this.ahead.length < size) return;
    const counts = new Int32Array(n * channel.axes);
    for (let i = 0; i < counts.length; i++) counts[i] = this.ahead.readInt32LE(4 + 4 * i);
    this.ahead = this.ahead.subarray(size);
    // Every piece but the last of a channel has the same length.
    channel.pieces.set(channel.n, counts);
    channel.pieces.delete(channel.n - 8);
    channel.n += 1;
  }
  // Body seconds; before the first look at it, none have passed.
  seconds(nowMs) {
    return this.startMs === null ? 0 : (nowMs - this.startMs) / 1000;
  }
  // Seconds that were lived: while a board charges, nobody wears it.
  lived(s) {
    let charged = 0;
    for (const [from, to, isWorn] of this.facts.outages) {
      if (!isWorn && from < s) charged += Math.min(s, to) - from;
    }
    return s - charged;
  }
  // The sample of the moment; half a period of grace, so that a board that comes a little late gets its own.
  count(i, axis, nowMs) {
    const channel = this.channels[i];
    if (channel === undefined) return 0;
    // What is looked at while the board boots is only tried.
    if (this.startMs === null || this.startMs < BOOT_MS) this.startMs = nowMs;
    const s = this.lived(this.seconds(nowMs)) - channel.offset_s;
    const idx = Math.max(0, Math.floor(s * channel.rate_hz + 0.5));
    const piece = Math.floor(idx / channel.n_piece);
    while (channel.n <= piece && !(this.isOver && this.ahead.length < 4)) this.take();
    const counts = channel.pieces.get(Math.min(piece, channel.n - 1));
    if (counts === undefined) return 0;
    const row = Math.min(piece < channel.n ? idx % channel.n_piece : Infinity, counts.length / channel.axes - 1);
    return counts[row * channel.axes + axis];
  }
  // Whether the wearer's finger is on the button.
  finger(nowMs) {
    const s = this.seconds(nowMs);
    while (this.presses.length && this.presses[0][1] < s) this.presses.shift();
    return this.presses.length && this.presses[0][0] <= s ? 1 : 0;
  }
  press(from, to) {
    this.presses.push([from, to]);
    this.presses.sort((a, b) => a[0] - b[0]);
  }
  // The last of a list of [seconds, value] whose time has come.
  now(list, nowMs) {
    const s = this.seconds(nowMs);
    let value = list[0][1];
    for (const [from, each] of list) if (from <= s) value = each;
    return value;
  }
  // The next time without power after a moment, [from, to] in the board's ms.
  outage(afterMs) {
    if (this.startMs === null || this.startMs < BOOT_MS) return null;
    const found = this.facts.outages.find(([from]) => this.startMs + from * 1000 > afterMs);
    return found && [this.startMs + found[0] * 1000, this.startMs + found[1] * 1000];
  }
}
