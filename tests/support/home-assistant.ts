import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { exclusively } from "./exclusively.ts";
import { keptPath } from "./kept.ts";
import { runCommand } from "./python-packages.ts";
import { reportMissing } from "./requirements.ts";

/** Home Assistant, and the package that its `components/wyoming/manifest.json` names. */
const WHEELS = ["homeassistant==2026.2.3", "wyoming==1.7.2"];
/** What is unpacked. The rest of Home Assistant is large, and needs Python 3.13. */
const PARTS = ["homeassistant/components/wyoming/", "homeassistant/components/stt/", "wyoming"];
const UNPACK = `
import sys, zipfile
folder, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder, [name for name in file.namelist() if name.startswith(tuple(${JSON.stringify(PARTS)}))])
`;

/**
 * Returns a folder with Home Assistant's code for Wyoming and for speech recognition, and the package that it uses. It is
 * kept between runs. Returns undefined, and prints why, when they cannot be downloaded (50 MB).
 */
export async function homeAssistantFiles(): Promise<string | undefined> {
  const folder = keptPath(`home-assistant-${WHEELS.join("-").replaceAll("==", "-")}`);
  return await exclusively(`${folder}.lock`, () => downloaded(folder));
}

async function downloaded(folder: string): Promise<string | undefined> {
  // Written last: without it, an installation was interrupted.
  const done = join(folder, "installed.txt");
  if (existsSync(done)) return folder;
  await rm(folder, { recursive: true, force: true });
  const wheels = join(folder, "wheels");
  await mkdir(wheels, { recursive: true });
  const pip = ["python3", "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"];
  const problem =
    (await runCommand([...pip, "--no-deps", "--ignore-requires-python", "--dest", wheels, ...WHEELS])) ??
    (await runCommand(["python3", "-c", UNPACK, folder, ...(await readdir(wheels)).map((name) => join(wheels, name))]));
  await rm(wheels, { recursive: true });
  if (problem !== undefined) {
    reportMissing(`Home Assistant cannot be downloaded: ${problem}`);
    return undefined;
  }
  await writeFile(done, WHEELS.join("\n"));
  return folder;
}
