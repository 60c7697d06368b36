import type { CommandDef } from "citty";

import manifest from "../../../package.json" with { type: "json" };
import { systemClock } from "../../lib/clock.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT, ExitError, signalExit } from "../terminal/exit-codes.ts";
import { readStream } from "../terminal/input.ts";
import { listMicrophones } from "../terminal/microphone-list.ts";
import { outputFailed, processOutput, usesColour, writeOutput } from "../terminal/output.ts";
import { SignalRepeats } from "../terminal/signal-repeats.ts";
import { isStandardOutput } from "./open-audio-output.ts";
import type { SendIo } from "./send-io.ts";
import { send } from "./send.ts";
import { parseSendSettings, SEND_FLAGS, type SendSettings } from "./settings.ts";

/** Signals that stop the sending. The results of the audio sent still come; a second signal ends the command. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A device of this name is the request for a list of all. */
const LIST = "list";

/** The command `send`: connects `send()` to the process's streams and signals. */
export const sendCommand: CommandDef = {
  args: SEND_FLAGS,
  async run({ rawArgs }) {
    const settings = parseSendSettings(rawArgs);
    if (settings.microphone?.device === LIST) return await writeOutput(await listMicrophones(process.env));
    const interrupt = new AbortController();
    /** Settled when the command must end before the stream does. */
    const ended = Promise.withResolvers<number>();
    /** The signal that stopped the sending, and the one that ended the command at once. */
    let stoppedBy: NodeJS.Signals | undefined;
    let endedBy: NodeJS.Signals | undefined;
    const repeats = new SignalRepeats();
    const onSignal = (signal: NodeJS.Signals) => {
      const kind = repeats.receive();
      if (kind === "first") {
        stoppedBy = signal;
        interrupt.abort();
      } else if (kind === "second") {
        endedBy ??= signal;
        ended.resolve(signalExit(endedBy));
      }
    };
    for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
    const service = { service: "streamer-send", version: manifest.version };
    const traceExport = await openTraceExport({ ...service, env: process.env });
    const { output } = settings;
    const printsAudio = output !== undefined && (await isStandardOutput(output));
    const stdout = processOutput(process.stdout, (reason) => {
      if (reason !== undefined) ended.reject(outputFailed(reason));
      // The reader of the results has gone, as `head` does: success, unless the stream also fills a file.
      else if (output === undefined || printsAudio) ended.resolve(EXIT.success);
    });
    const stderr = processOutput(process.stderr, () => undefined);
    const io: SendIo = {
      stdin: (signal) => readStream(Bun.stdin.stream(), signal),
      out: printsAudio ? stderr : stdout,
      err: stderr,
      audioOut: stdout,
      clock: systemClock,
      interrupt: interrupt.signal,
      traceExport,
      colour: usesColour(printsAudio ? process.stderr : process.stdout),
    };
    const sending = sendAndFlush(settings, io);
    try {
      const code = await Promise.race([sending, ended.promise]);
      if (stoppedBy !== undefined) throw new ExitError(signalExit(endedBy ?? stoppedBy));
      if (code !== EXIT.success) throw new ExitError(code);
    } finally {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
      if (endedBy === undefined) await traceExport?.close();
    }
  },
};

/** Returns the exit code when everything that was printed is out. */
async function sendAndFlush(settings: SendSettings, io: SendIo): Promise<number> {
  const code = await send(settings, io);
  await Promise.all([io.audioOut.flush(), io.out.flush()]);
  return code;
}
