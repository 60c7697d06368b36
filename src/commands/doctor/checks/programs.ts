import { findProgram } from "../../terminal/find-program.ts";
import { findRecorders, INSTALL_RECORDER } from "../../terminal/recorders.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** Programs of others that `send` uses. The server needs none. */
export const programs: Check = {
  name: "programs",
  limitMs: 5_000,
  run: ({ machine }, report) => examinePrograms(machine.env, report),
};

export function examinePrograms(env: Machine["env"], report: ReportFinding): void {
  const ffmpeg = findProgram("ffmpeg", env["PATH"] ?? "");
  if (ffmpeg === null) {
    report(
      "note",
      "ffmpeg",
      "is not on the PATH: send reads WAV files only",
      "install ffmpeg, if it is to send MP3, Ogg and the like",
    );
  } else report("ok", "ffmpeg", `${ffmpeg}: send decodes other files than WAV`);
  const [found] = findRecorders(env);
  if (found === undefined) {
    report("note", "microphone", "no program that records is on the PATH, for send --microphone", INSTALL_RECORDER);
  } else report("ok", "microphone", `${found.program} (${found.recorder.system}), for send --microphone`);
}
