// Test suites beyond the core. The tests of a suite stand in tests/suites/NAME/, which plain `bun test` ignores
// (bunfig.toml). `STREAMER_SUITES=NAME,NAME npm test` runs the named suites after the core;
// `bun test --path-ignore-patterns=- tests/suites/NAME` runs one alone.

import { readdir } from "node:fs/promises";
import { join } from "node:path";

export const SUITES = {
  interop:
    "programs of others: Prometheus and its rules, files of ffmpeg and SoX, SDKs of other services; clients in other languages",
  engines:
    "models of others: PocketSphinx, Moonshine, RNNoise, Silero VAD, models in Python, inference servers (Triton)",
  browser:
    "the console and the page of the examples in Chromium, with a microphone that hears a file; figures and site of the guide",
  proxies: "servers behind HAProxy, nginx and Caddy; the configuration of Envoy",
  images: "the container image, compose.yaml, the unit of systemd, the Helm chart",
  torture: "long property runs, deaths of workers and processes, shutdowns under load, fuzzing of the C library",
} as const;

export type Suite = keyof typeof SUITES;

/** The suites that STREAMER_SUITES names, in its order. Throws on a name that is not a suite. */
export function chosenSuites(variable: string | undefined): Suite[] {
  const names = (variable ?? "").split(",").filter((name) => name.trim() !== "");
  return names.map((name) => {
    const suite = name.trim();
    if (isSuite(suite)) return suite;
    throw new Error(`STREAMER_SUITES: found "${suite}"; allowed: ${Object.keys(SUITES).join(", ")}`);
  });
}

function isSuite(name: string): name is Suite {
  return Object.hasOwn(SUITES, name);
}

/** The test files of a suite, relative to the project in `root`. */
export async function suiteFiles(root: string, suite: Suite): Promise<string[]> {
  const folder = join("tests", "suites", suite);
  const names = await readdir(join(root, folder), { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(folder, name))
    .sort();
}
