// The packages of the client libraries.

import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { packClient } from "../client-package.ts";
import { buildPythonPackage } from "../python-package.ts";
import { run } from "./command.ts";
import { inEmptyFolder, RECORDING, RESULTS } from "./smoke.ts";

/**
 * Builds them. Returns the names of the files in `output`.
 * @param work a folder for what else the tools write
 */
export async function buildClients(work: string, output: string): Promise<string[]> {
  await mkdir(work, { recursive: true });
  const javascript = await packClient(output);
  const { wheel, sdist } = await buildPythonPackage(join(work, "python"));
  for (const path of [wheel, sdist]) await copyFile(path, join(output, basename(path)));
  return [javascript, wheel, sdist].map((path) => basename(path));
}

/** Installs each client in an empty folder, and sends the recording to a server at `HOST:PORT`. */
export async function tryClients(output: string, address: string): Promise<void> {
  const names = await readdir(output);
  const find = (pattern: RegExp): string => {
    const name = names.find((one) => pattern.test(one));
    if (name === undefined) throw new Error(`${output} has no file ${pattern.source}`);
    return join(output, name);
  };
  await inEmptyFolder(async (folder) => tryPython(find(/^streamer_client-.*\.whl$/), folder, address));
  await inEmptyFolder(async (folder) => tryJavaScript(find(/^streamer-client-.*\.tgz$/), folder, address));
}

const PYTHON = `
import sys
from streamer_client import transcribe_file
print(len(transcribe_file(sys.argv[1], sys.argv[2]).segments))
`;

async function tryPython(wheel: string, folder: string, address: string): Promise<void> {
  await run(["python3", "-m", "venv", "python"], { cwd: folder });
  const python = join(folder, "python", "bin", "python");
  await run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]);
  expectResults(wheel, await run([python, "-c", PYTHON, address, RECORDING], { cwd: folder, env: {} }));
}

const JAVASCRIPT = `
import { createReadStream } from "node:fs";
import { connect } from "streamer-client";
import { openWav } from "streamer-client/wav";

const [, , address, file] = process.argv;
const wav = await openWav(createReadStream(file));
const client = await connect("ws://" + address + "/api/v1/segmented", { format: wav.format });
const sending = client.sendAll(wav).then(() => client.stop({ disconnect: true }));
let results = 0;
for await (const { event } of client.events) if (event.type === "segment") results++;
await sending;
console.log(results);
`;

async function tryJavaScript(tarball: string, folder: string, address: string): Promise<void> {
  await writeFile(join(folder, "package.json"), "{}");
  await writeFile(join(folder, "program.mjs"), JAVASCRIPT);
  await run(["npm", "install", "--silent", "--no-audit", "--no-fund", tarball], { cwd: folder });
  const node = Bun.which("node") ?? "node";
  expectResults(tarball, await run([node, "program.mjs", address, RECORDING], { cwd: folder, env: {} }));
}

function expectResults(path: string, printed: string): void {
  if (Number(printed) === RESULTS) return;
  throw new Error(`${basename(path)}: found ${printed.trim()} results; expected ${RESULTS}`);
}
