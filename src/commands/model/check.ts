import type { ArgsDef, CommandDef } from "citty";

import { ConfigError, loadConfig, type ModelConfig } from "../../config/config.ts";
import { validateModelSettings } from "../../model/models.ts";
import { hostFor, type HostPrograms } from "../../pool/host-for.ts";
import type { OutputLine } from "../../pool/process-host.ts";
import { EXIT, ExitError, UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, parseFlags } from "../terminal/flags.ts";
import { formatCount } from "../terminal/numbers.ts";
import { outputFailed, processOutput } from "../terminal/output.ts";
import { openRecording } from "../terminal/recording.ts";
import { checkModel, type Finding, type Verdict } from "./checks/check-model.ts";

const FLAGS = {
  model: {
    type: "positional",
    required: true,
    valueHint: "MODEL|FILE",
    description: "Path of a model file, or name of a built-in model",
  },
  input: {
    type: "string",
    alias: "i",
    valueHint: "FILE",
    description: "WAV file to use as input (default a synthetic signal like speech)",
  },
  set: {
    type: "string",
    valueHint: "SETTING=VALUE...",
    description: "Set a setting of the model, as serve --set model.SETTING=VALUE; may be repeated",
  },
} as const satisfies ArgsDef;

/** The rest of a longer recording is ignored. */
const MAX_INPUT_SECONDS = 30;
/** Two workers show whether results depend on the instance. */
const MAX_WORKERS = 2;
const VERDICT_WIDTH = 4;
const CHECK_WIDTH = 13;

export function modelCheckCommand(programs: HostPrograms): CommandDef {
  return {
    args: FLAGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, FLAGS);
      const model = modelConfig(flags);
      const input = flags.string("input");
      const recording = input === undefined ? undefined : await openRecording(input, MAX_INPUT_SECONDS);
      const counts: Record<Verdict, number> = { ok: 0, note: 0, FAIL: 0 };
      const broken = Promise.withResolvers<never>();
      // If the reader of the report has gone, as `head` does, the command ends with success.
      const out = processOutput(process.stdout, (reason) =>
        broken.reject(reason === undefined ? new ExitError(EXIT.success) : outputFailed(reason)),
      );
      const checks = checkModel(
        {
          model: model.name,
          settings: { ...model.settings },
          workers: Math.min(MAX_WORKERS, model.workers),
          inferenceTimeoutMs: model.inference_timeout_ms,
          loadTimeoutMs: model.load_timeout_ms,
          startHost: hostFor(model, programs, printOutput),
          onLoading: (text) => void process.stderr.write(`${text}\n`),
          ...(recording && { speech: recording }),
        },
        (finding) => {
          counts[finding.verdict]++;
          void out.write(findingLine(finding));
        },
      );
      void out.write(`checking ${model.name}\n\n`);
      await Promise.race([checks, broken.promise]);
      void out.write(`\n${counts.ok} ok, ${formatCount(counts.note, "note")}, ${counts.FAIL} failed\n`);
      await Promise.race([broken.promise, out.flush()]);
      if (counts.FAIL > 0) throw new ExitError(EXIT.failure);
    },
  };
}

/** Writes what a model prints to standard error, as it does itself in a thread. */
function printOutput({ text, leftOut }: OutputLine): void {
  if (leftOut > 0) process.stderr.write(`${leftOut} lines of the model's output were dropped\n`);
  if (text !== "") process.stderr.write(`${text}\n`);
}

function findingLine({ verdict, check, text }: Finding): string {
  return `${verdict.padEnd(VERDICT_WIDTH)}  ${check.padEnd(CHECK_WIDTH)}  ${text}\n`;
}

/** Loads the model's configuration from the environment and `--set`, as `serve` does. */
function modelConfig(flags: GivenFlags): ModelConfig {
  const name = flags.string("model");
  if (name === undefined) throw new UsageError("missing model: for example, model check ./my-model.ts");
  const sets = flags.strings("set").map((set) => (/^models?\./.test(set) ? set : `model.${set}`));
  try {
    return loadConfig({ env: process.env, flags: { model: name }, sets, validateModelSettings }).config.model;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.problems.join("\n  "));
    throw error;
  }
}
