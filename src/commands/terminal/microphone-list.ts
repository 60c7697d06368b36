import { excerpt } from "../../lib/excerpt.ts";
import { EXIT, ExitError } from "./exit-codes.ts";
import { findProgram } from "./find-program.ts";
import { INSTALL_RECORDER } from "./recorders.ts";

/** Longest time for the answer of a program. */
const ANSWER_MS = 5_000;
/** Most devices of a sound system that are listed, and most bytes of what a program prints. */
const MAX_DEVICES = 200;
const MAX_BYTES = 256 * 1024;
const NAME_WIDTH = 30;

/** A device that can be recorded from. */
export interface Device {
  /** As `--microphone` takes it. */
  readonly name: string;
  readonly description: string;
}

/** A program that lists devices. */
interface Lister {
  readonly program: string;
  readonly system: string;
  readonly arguments: readonly string[];
  readonly parse: (text: string) => Device[];
}

const LISTERS: readonly Lister[] = [
  { program: "pactl", system: "PulseAudio", arguments: ["list", "short", "sources"], parse: parsePactl },
  { program: "arecord", system: "ALSA", arguments: ["-L"], parse: parseArecord },
];
/** Used where a sound system has no other program. */
const FFMPEG: readonly Lister[] = [
  { program: "ffmpeg", system: "PulseAudio", arguments: ["-hide_banner", "-sources", "pulse"], parse: parseFfmpeg },
  { program: "ffmpeg", system: "ALSA", arguments: ["-hide_banner", "-sources", "alsa"], parse: parseFfmpeg },
];

/**
 * Returns the devices that can be recorded from, one a line below the name of their sound system. Throws ExitError when
 * there is none, or no program that knows them.
 */
export async function listMicrophones(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const listers = LISTERS.map((lister, i) => (has(lister, env) ? lister : FFMPEG[i]!)).filter((each) => has(each, env));
  if (listers.length === 0) throw new ExitError(EXIT.failure, `no program that lists devices; ${INSTALL_RECORDER}`);
  const sections = await Promise.all(
    listers.map(async ({ system, ...lister }) => {
      const devices = lister.parse(await run(lister, env)).slice(0, MAX_DEVICES);
      const lines = devices.map(({ name, description }) => {
        return `  ${excerpt(name, Infinity).padEnd(NAME_WIDTH)}  ${excerpt(description, Infinity)}`.trimEnd();
      });
      return lines.length === 0 ? "" : `${system}\n${lines.join("\n")}\n`;
    }),
  );
  const text = sections.join("");
  if (text !== "") return text;
  const asked = listers.map(({ program, system }) => `${program} (${system})`).join(" and ");
  throw new ExitError(EXIT.failure, `${asked} found no device that can be recorded from`);
}

function has({ program }: Lister, env: Readonly<Record<string, string | undefined>>): boolean {
  return findProgram(program, env["PATH"] ?? "") !== null;
}

/** Returns what a program prints; empty when it fails. */
async function run(
  { program, arguments: args }: Pick<Lister, "program" | "arguments">,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const child = Bun.spawn([findProgram(program, env["PATH"] ?? "") ?? program, ...args], {
    env: { ...env, LC_ALL: "C.UTF-8" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: ANSWER_MS,
    killSignal: "SIGKILL",
    maxBuffer: MAX_BYTES,
  });
  return await child.stdout.text();
}

/** `0 <tab> NAME <tab> MODULE <tab> ...`; the name is all that the short list has for people. */
function parsePactl(text: string): Device[] {
  return text.split("\n").flatMap((line) => {
    const [, name = ""] = line.split("\t");
    return name === "" ? [] : [{ name, description: "" }];
  });
}

/** A name on a line of its own, and what it is in the indented lines below. */
function parseArecord(text: string): Device[] {
  const devices: { name: string; description: string }[] = [];
  for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
    if (!line.startsWith(" ")) devices.push({ name: line.trim(), description: "" });
    else if (devices.at(-1)?.description === "") devices.at(-1)!.description = line.trim();
  }
  return devices.filter(({ name }) => name !== "null");
}

/** `* NAME [DESCRIPTION] (KINDS)`; the star marks the default. */
function parseFfmpeg(text: string): Device[] {
  return text.split("\n").flatMap((line) => {
    const [, name, description = ""] = /^[* ] (\S+) \[(.*?)\]/.exec(line) ?? [];
    return name === undefined || name === "null" ? [] : [{ name, description }];
  });
}
