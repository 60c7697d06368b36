import { existsSync } from "node:fs";
import { join } from "node:path";

import { findProgram } from "./find-program.ts";

/** What a recorder is to record, as 16-bit integers, little-endian. */
export interface Recording {
  /** Hz. */
  readonly rate: number;
  readonly channels: number;
  /** Name of a device; undefined: the default one. */
  readonly device: string | undefined;
}

/** A program that writes the sound of a microphone to its standard output. */
export interface Recorder {
  /** Name of the program, for messages. */
  readonly name: string;
  /** What it records from. */
  readonly system: SoundSystem;
  /** Arguments for PCM without a header on standard output. */
  arguments(recording: Recording): readonly string[];
}

type SoundSystem = "PipeWire" | "PulseAudio" | "ALSA";

const FFMPEG = ["-nostdin", "-hide_banner", "-loglevel", "level+warning"] as const;

function withFfmpeg(format: "pulse" | "alsa", { rate, channels, device = "default" }: Recording): string[] {
  const output = ["-ac", String(channels), "-ar", String(rate), "-f", "s16le", "pipe:1"];
  return [...FFMPEG, "-f", format, "-i", device, ...output];
}

/**
 * Recorders in the order of preference: those of the sound server that desktops have, then those of ALSA. `pw-record`
 * comes after the others because it records the default device where there is none of the name that is given.
 */
export const RECORDERS: readonly Recorder[] = [
  {
    name: "parec",
    system: "PulseAudio",
    arguments: ({ rate, channels, device }) => [
      ...["--raw", "--format=s16le", `--rate=${rate}`, `--channels=${channels}`, "--latency-msec=50"],
      ...(device === undefined ? [] : [`--device=${device}`]),
    ],
  },
  { name: "ffmpeg", system: "PulseAudio", arguments: (recording) => withFfmpeg("pulse", recording) },
  {
    name: "pw-record",
    system: "PipeWire",
    arguments: ({ rate, channels, device }) => [
      ...["--format", "s16", "--rate", String(rate), "--channels", String(channels), "--latency", "50ms"],
      ...(device === undefined ? [] : ["--target", device]),
      "-",
    ],
  },
  {
    name: "arecord",
    system: "ALSA",
    arguments: ({ rate, channels, device }) => [
      ...["-q", "-t", "raw", "-f", "S16_LE", "-r", String(rate), "-c", String(channels)],
      ...(device === undefined ? [] : ["-D", device]),
    ],
  },
  { name: "ffmpeg", system: "ALSA", arguments: (recording) => withFfmpeg("alsa", recording) },
];

/** How to get a recorder, for messages. */
export const INSTALL_RECORDER =
  "install alsa-utils (arecord), pulseaudio-utils (parec), pipewire-bin (pw-record) or ffmpeg";

/** Names of devices of ALSA, which the sound servers do not know. */
const ALSA_DEVICE = /^(?:plug|ds)?(?:hw|noop|mix)\b|^sysdefault\b|^plug:/;

type Environment = Readonly<Record<string, string | undefined>>;

/** A recorder, and the path of its program. */
export interface FoundRecorder {
  readonly recorder: Recorder;
  readonly program: string;
}

/**
 * Returns the recorders that are on the PATH, the best first: those whose sound server runs, then those of ALSA, then the
 * others, whose server may be elsewhere. For a device of ALSA, only those of ALSA.
 */
export function findRecorders(
  env: Environment,
  device?: string,
  exists: (path: string) => boolean = existsSync,
): FoundRecorder[] {
  const found = RECORDERS.flatMap((recorder) => {
    const program = findProgram(recorder.name, env["PATH"] ?? "");
    return program === null ? [] : [{ recorder, program }];
  });
  const rank = ({ recorder: { system } }: FoundRecorder): number =>
    system === "ALSA" ? 1 : runs(system, env, exists) ? 0 : 2;
  const fitting = found.filter(({ recorder }) => recorder.system === "ALSA" || !ALSA_DEVICE.test(device ?? ""));
  return fitting.toSorted((a, b) => rank(a) - rank(b));
}

/** Returns true if a sound server runs for this user. */
function runs(system: SoundSystem, env: Environment, exists: (path: string) => boolean): boolean {
  const folder = env["XDG_RUNTIME_DIR"] ?? "";
  if (system === "PipeWire") return folder !== "" && exists(join(folder, env["PIPEWIRE_REMOTE"] ?? "pipewire-0"));
  if ((env["PULSE_SERVER"] ?? "") !== "") return true;
  return folder !== "" && exists(join(folder, "pulse", "native"));
}
