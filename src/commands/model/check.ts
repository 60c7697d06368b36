import type { CommandDef } from "citty";

import { ConfigError, loadConfig, type ModelConfig } from "../../config/config.ts";
import { validateModelSettings } from "../../model/models.ts";
import { EXIT, ExitCode, unwritable, UsageError } from "../terminal/exit.ts";
import { type Flags, parseFlags } from "../terminal/flags.ts";
import { openRecording } from "../terminal/recording.ts";
import { processOutput } from "../terminal/screen.ts";
import { checkModel, type Finding, type Verdict } from "./checks/check-model.ts";

const ARGS = {
  model: {
    type: "positional",
    required: false,
    description: "The path of a model file, or the name of a built-in model",
  },
  input: {
    type: "string",
    alias: "i",
    valueHint: "FILE",
    description: "WAV file to try it on; default: something like speech",
  },
  set: { type: "string", valueHint: "KEY=VALUE...", description: "A setting of the model, as model.KEY of serve" },
} as const;

/** Workers that the model is loaded into: a second one shows what an instance should not keep. */
const MOST_WORKERS = 2;
const VERDICT_WIDTH = 4;
const WHAT_WIDTH = 13;

export function modelCheckCommand({ workerUrl }: { readonly workerUrl: string }): CommandDef<typeof ARGS> {
  return {
    meta: { name: "check", description: "Try a model in a worker, and report in words what it does" },
    args: ARGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, ARGS);
      const model = modelConfig(flags);
      const input = flags.string("input");
      const recording = input === undefined ? undefined : await openRecording(input);
      const counts: Record<Verdict, number> = { ok: 0, note: 0, FAIL: 0 };
      const unread = Promise.withResolvers<void>();
      // Nobody reads the report: the work is done, as for any command before `head`.
      const out = processOutput(process.stdout, (reason) =>
        unread.reject(reason === undefined ? new ExitCode(EXIT.good) : unwritable(reason)),
      );
      const checked = checkModel(
        {
          model: model.name,
          settings: { ...model.settings },
          workers: Math.min(MOST_WORKERS, model.workers),
          inferenceTimeoutMs: model.inference_timeout_ms,
          loadTimeoutMs: model.load_timeout_ms,
          workerUrl,
          ...(recording && { speech: recording }),
        },
        (finding) => {
          counts[finding.verdict]++;
          void out.write(line(finding));
        },
      );
      void out.write(`checking ${model.name}\n\n`);
      await Promise.race([checked, unread.promise]);
      await out.write(`\n${counts.ok} ok, ${counts.note} to note, ${counts.FAIL} failed\n`);
      if (counts.FAIL > 0) throw new ExitCode(EXIT.failed);
    },
  };
}

function line({ verdict, what, words }: Finding): string {
  return `${verdict.padEnd(VERDICT_WIDTH)}  ${what.padEnd(WHAT_WIDTH)}  ${words}\n`;
}

/** The model's part of the configuration, from the environment and `--set`, as `serve` would have it. */
function modelConfig(flags: Flags): ModelConfig {
  const name = flags.string("model");
  if (name === undefined) throw new UsageError("say which model: model check ./my-model.ts");
  const sets = flags.strings("set").map((set) => (/^models?\./.test(set) ? set : `model.${set}`));
  try {
    return loadConfig({ env: process.env, flags: { model: name }, sets, validateModelSettings }).config.model;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.problems.join("\n  "));
    throw error;
  }
}
