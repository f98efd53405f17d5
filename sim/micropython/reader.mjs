// Reads the host's bytes while the interpreter holds the event loop; hands them over in shared memory.
import { workerData } from "node:worker_threads";
import fs from "node:fs";

const { shared, size, fd } = workerData;
// Written by here: 0 head, 2 where the byte after the last Ctrl-C is (with a count), 3 end. 1 is the tail, written by the board.
const at = new Int32Array(shared, 0, 4);
const ring = new Uint8Array(shared, 16, size);
const piece = Buffer.alloc(4096);
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  let n = 0;
  try {
    n = fs.readSync(fd, piece, 0, piece.length);
  } catch (error) {
    if (error.code === "EAGAIN") {
      Atomics.wait(never, 0, 0, 1);
      continue;
    }
  }
  if (n === 0) {
    Atomics.store(at, 3, 1);
    Atomics.notify(at, 0);
    break;
  }
  for (let i = 0; i < n; i++) {
    const head = Atomics.load(at, 0);
    const next = (head + 1) % size;
    while (next === Atomics.load(at, 1)) Atomics.wait(at, 1, Atomics.load(at, 1), 5);
    ring[head] = piece[i];
    Atomics.store(at, 0, next);
    if (piece[i] === 3) Atomics.store(at, 2, (((Atomics.load(at, 2) >>> 20) + 1) << 20) | next);
  }
  Atomics.notify(at, 0);
}
