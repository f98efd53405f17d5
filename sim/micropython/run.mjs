// run.mjs SCRIPT [FILE ...]: runs SCRIPT on the official MicroPython build; each FILE is importable there by its base name.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const [script, ...files] = process.argv.slice(2);
const mp = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });
for (const file of files) mp.FS.writeFile("/" + basename(file), readFileSync(file));
mp.runPython("import sys; sys.path.append('/')");
try {
  mp.runPython(readFileSync(script, "utf8"));
} catch (error) {
  console.error(String(error));
  process.exit(1);
}
