import { defineCommand } from "citty";

import manifest from "../../../package.json" with { type: "json" };
import { systemClock } from "../../lib/clock.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT, ExitError, outputFailed } from "../terminal/exit-codes.ts";
import { readStream } from "../terminal/input.ts";
import { processOutput } from "../terminal/output.ts";
import { send } from "./send.ts";
import { parseSendSettings, SEND_ARGS } from "./settings.ts";

/** The command `send`: connects `send()` to the process's streams and signals. */
export const sendCommand = defineCommand({
  args: SEND_ARGS,
  async run({ rawArgs }) {
    const settings = parseSendSettings(rawArgs);
    const interrupt = new AbortController();
    /** Settled when the command must end before the stream does. */
    const ended = Promise.withResolvers<number>();
    const onSignal = () => {
      if (interrupt.signal.aborted) ended.resolve(EXIT.interrupted);
      interrupt.abort();
    };
    process.on("SIGINT", onSignal);
    const service = { service: "streamer-send", version: manifest.version };
    const traceExport = await openTraceExport({ ...service, env: process.env });
    try {
      const sending = send(settings, {
        stdin: (signal) => readStream(Bun.stdin.stream(), signal),
        out: processOutput(process.stdout, (reason) => {
          if (reason !== undefined) ended.reject(outputFailed(reason));
          // The reader of the results has gone, as `head` does: success, unless the stream also fills a file.
          else if (settings.output === undefined) ended.resolve(EXIT.success);
        }),
        err: processOutput(process.stderr, () => undefined),
        clock: systemClock,
        interrupt: interrupt.signal,
        traceExport,
        colour: (process.env["NO_COLOR"] ?? "") === "",
      });
      const code = await Promise.race([sending, ended.promise]);
      if (code !== EXIT.success) throw new ExitError(code);
    } finally {
      process.off("SIGINT", onSignal);
      await traceExport?.close();
    }
  },
});
