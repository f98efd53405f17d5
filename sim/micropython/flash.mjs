// The board's flash: a folder of the host, into the interpreter's file system and back.
import fs from "node:fs";
import path from "node:path";

export function load(FS, host, to) {
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
export function save(FS, from, host) {
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
