import { defineCommand } from "citty";

import manifest from "../../../package.json" with { type: "json" };
import { type Client, connect } from "../../client/client.ts";
import { ConnectionError } from "../../client/errors.ts";
import { openTraceExport, type TraceExport } from "../../telemetry/tracing/trace-export.ts";
import { audioSource, type Bytes, type Input, openFile, readStream, type Source } from "../terminal/audio-source.ts";
import { EXIT, ExitCode, unwritable } from "../terminal/exit.ts";
import { type Output, processOutput, Screen } from "../terminal/screen.ts";
import { AudioFile } from "./audio-file.ts";
import { type Clock, processClock } from "./clock.ts";
import { grouped } from "./event-text.ts";
import { refusal } from "./refusal.ts";
import { Report } from "./report.ts";
import { SEND_ARGS, type SendSettings, sendSettings, startFields } from "./settings.ts";
import { Stream } from "./stream.ts";
import { SendTrace } from "./trace.ts";

/** What the command sees of the world. */
export interface SendIo {
  /** Opens standard input; reads end when the signal is aborted. */
  readonly stdin: (signal: AbortSignal) => Bytes;
  readonly out: Output;
  readonly err: Output;
  readonly clock: Clock;
  /** Aborted by the first Ctrl-C: no more audio, but every result of what was sent. */
  readonly interrupt: AbortSignal;
  /** Undefined: spans are not exported. */
  readonly traceExport?: TraceExport | undefined;
  readonly colour: boolean;
}

/**
 * Sends one recording and shows what comes back. Returns the exit code, having said why on standard error; throws UsageError
 * before anything is sent.
 */
export async function send(settings: SendSettings, io: SendIo): Promise<number> {
  const screen = new Screen(io.out, io.err, { colour: io.colour });
  await using input = await openInput(settings.input, io);
  const source = await audioSource(input.name, input.bytes, input.size, settings.raw);
  const fields = startFields(settings, source.format, source.name);
  const { output: path, input: inputPath } = settings;
  await using output = path === undefined ? undefined : await AudioFile.open(path, source.format.channels, inputPath);
  using trace = new SendTrace(io.traceExport, settings.addr, settings.fields["trace_id"] as string | undefined);
  const begin = io.clock.now();
  const { headers, traceId } = trace;
  let client: Client;
  try {
    const start = { ...fields, trace_id: traceId };
    client = await connect(settings.addr, start, { now: io.clock.now, ...(headers && { headers }) });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    trace.failed(error.code, error.message);
    await screen.note(`cannot connect to ${settings.addr.href}: ${await refusal(settings.addr)}`);
    return EXIT.unreachable;
  }
  const report = new Report(source.format, begin);
  if (settings.format === "text") await screen.print(`${describe(source)} -> ${settings.addr.href}`);
  const stream = new Stream(settings, io, screen, source, client, report, output);
  const problems = await stream.run();
  for (const problem of problems) trace.failed("problem", problem);
  const say = (line: string) => (settings.format === "text" ? screen.print(line) : screen.note(line));
  if (report.stopped !== undefined) {
    const pace = settings.realTime ? "paced in real time" : "as fast as possible";
    await say("");
    for (const line of report.lines(io.clock.now(), pace)) await say(line);
    if (output?.sampleRate !== undefined) {
      await say(
        `output      ${output.path}: ${grouped(output.frames)} samples a channel at ${grouped(output.sampleRate)} Hz, 32 bit float`,
      );
    }
    await say(`result      ${report.totals(problems)}`);
  }
  for (const problem of problems) await screen.note(`problem: ${problem}`);
  return problems.length > 0 || report.errors > 0 ? EXIT.failed : EXIT.good;
}

async function openInput(path: string, io: SendIo): Promise<Input & { name: string }> {
  if (path !== "-") return { ...(await openFile(path)), name: path };
  const bytes = io.stdin(io.interrupt);
  return { name: "standard input", bytes, size: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function describe({ name, format, seconds }: Source): string {
  const kind =
    format.encoding === "pcm" ? `${format.bit_depth} bit${format.is_float ? " float" : ""}` : format.encoding;
  const length = seconds === undefined ? "length unknown" : `${seconds.toFixed(2)} s`;
  return `${name}: ${length}, ${format.sample_rate} Hz, ${format.channels} channel${format.channels === 1 ? "" : "s"}, ${kind}`;
}

export const sendCommand = defineCommand({
  meta: { name: "send", description: "Stream a recording to a server and show what comes back" },
  args: SEND_ARGS,
  async run({ rawArgs }) {
    const settings = sendSettings(rawArgs);
    const interrupt = new AbortController();
    const ended = Promise.withResolvers<number>();
    const onSignal = () => {
      if (interrupt.signal.aborted) ended.resolve(EXIT.interrupted);
      interrupt.abort();
    };
    process.on("SIGINT", onSignal);
    const traceExport = await openTraceExport({
      service: "streamer-send",
      version: manifest.version,
      env: process.env,
    });
    try {
      const sending = send(settings, {
        stdin: (signal) => readStream(Bun.stdin.stream(), signal),
        // Nobody reads the results: the work is done, as for any command before `head`, unless it also fills a file.
        out: processOutput(process.stdout, (reason) => {
          if (reason !== undefined) ended.reject(unwritable(reason));
          else if (settings.output === undefined) ended.resolve(EXIT.good);
        }),
        err: processOutput(process.stderr, () => undefined),
        clock: processClock,
        interrupt: interrupt.signal,
        traceExport,
        colour: (process.env["NO_COLOR"] ?? "") === "",
      });
      const code = await Promise.race([sending, ended.promise]);
      if (code !== EXIT.good) throw new ExitCode(code);
    } finally {
      process.off("SIGINT", onSignal);
      await traceExport?.close();
    }
  },
});
