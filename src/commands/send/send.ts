import { type Client, connect } from "../../client/client.ts";
import { ConnectionError } from "../../client/errors.ts";
import type { ClientTls } from "../../client/tls.ts";
import type { StartFields } from "../../client/types/start.ts";
import { excerpt } from "../../lib/excerpt.ts";
import type { AudioSource } from "../terminal/audio-source.ts";
import { insecureWarning, readClientTls } from "../terminal/client-tls.ts";
import { tokenWarning } from "../terminal/client-token.ts";
import { EXIT, UsageError } from "../terminal/exit-codes.ts";
import { type Input, openFile, printablePath } from "../terminal/input.ts";
import { openMicrophone } from "../terminal/microphone.ts";
import { formatCount, formatNumber } from "../terminal/numbers.ts";
import { openAudioSource } from "../terminal/open-audio-source.ts";
import { Screen } from "../terminal/screen.ts";
import type { AudioOutput } from "./audio-output.ts";
import { AudioSender } from "./audio-sender.ts";
import { Drain } from "./drain.ts";
import { EventReceiver } from "./event-receiver.ts";
import { describeGrpcFailure, grpcOpener, printableDestination } from "./grpc-stream.ts";
import { openAudioOutput } from "./open-audio-output.ts";
import { ProgressBar } from "./progress-bar.ts";
import { findRefusalReason } from "./refusal-reason.ts";
import { REPORT_INDENT, reportLine, StreamReport } from "./report.ts";
import { printResume } from "./resume-notice.ts";
import type { SendIo } from "./send-io.ts";
import { ServerWatch } from "./server-watch.ts";
import type { SendSettings } from "./settings.ts";
import { startFields } from "./start-fields.ts";
import { SendTrace } from "./trace.ts";

/**
 * Streams one recording to a server and prints the events and a report. Returns the exit code; a failure has been
 * explained on standard error. Throws UsageError before anything is sent.
 */
export async function send(settings: SendSettings, io: SendIo): Promise<number> {
  const screen = new Screen(io.out, io.err, { colour: io.colour });
  using drain = new Drain(io.clock);
  // Reading ends with the stream, too: the source may be a pipe that stays silent.
  const ended = new AbortController();
  const reading = AbortSignal.any([io.interrupt, drain.signal, ended.signal]);
  try {
    const { input: path, microphone, output: to, raw } = settings;
    const tls = await readClientTls(settings.tls);
    const show = <Value>(what: string, work: Promise<Value>) => screen.during(`waiting for ${what}`, work);
    await using input = await (microphone === undefined
      ? show(`a writer of ${printablePath(path)}`, openInput(path, io, reading))
      : show("sound of the microphone", openMicrophone(microphone, { env: process.env, signal: reading })));
    await using source = await show(`audio from ${input.name}`, openAudioSource(input, { raw, interrupt: reading }));
    const fields = startFields(settings.fields, source.format, source.name);
    await using output = await show(
      `a reader of ${printablePath(to ?? "")}`,
      openOutput(settings, source.format.channels, io),
    );
    const isLive = settings.realTime || input.size === undefined;
    const code = await stream({ settings, tls, io, screen, source, isLive, output, drain, ended }, fields);
    const lost = input.takeWarning?.();
    if (lost !== undefined) await screen.notice(`warning: ${lost}`, 2);
    return code;
  } catch (error) {
    // An interrupted header is one that ends too early.
    const isInterrupted = io.interrupt.aborted && (error === io.interrupt.reason || error instanceof UsageError);
    if (!isInterrupted) throw error;
    await screen.notice("interrupted before any audio was sent");
    return EXIT.failure;
  }
}

/** One run of the command, with its files open. */
interface Run {
  readonly settings: SendSettings;
  readonly tls: ClientTls;
  readonly io: SendIo;
  readonly screen: Screen;
  readonly source: AudioSource;
  /** False if the source is a file that is sent as fast as possible. */
  readonly isLive: boolean;
  readonly output: AudioOutput | undefined;
  readonly drain: Drain;
  /** Aborted when the stream has ended. */
  readonly ended: AbortController;
}

/** Connects, sends and receives. Returns the exit code. Rejects with the reason of an interrupt while connecting. */
async function stream(run: Run, fields: StartFields): Promise<number> {
  const { settings, io, screen, source, isLive, output, drain } = run;
  using trace = new SendTrace(io.traceExport, settings.addr, settings.fields["trace_id"] as string | undefined);
  const report = new StreamReport(source.format, io.clock.now(), isLive);
  using watch = new ServerWatch(io.clock, settings.waits, screen);
  watch.begin();
  for (const warning of [tokenWarning(settings.addr, settings.token), insecureWarning(settings.tls)]) {
    if (warning !== undefined) await screen.notice(warning, 2);
  }
  const client = await connectTo(run, { ...fields, trace_id: trace.traceId }, trace, watch);
  if (client === undefined) return EXIT.unreachable;
  for (const remark of source.takeRemarks()) await screen.notice(`warning: ${remark}`, 2);
  if (settings.format === "text")
    await screen.print(`${describeSource(source)} -> ${printableDestination(settings)}`, 2);
  const sender = new AudioSender({
    client,
    source,
    report,
    clock: io.clock,
    chunkBytes: settings.chunkBytes,
    realTime: settings.realTime,
    progress: new ProgressBar(screen, source.seconds),
    interrupt: AbortSignal.any([io.interrupt, drain.signal]),
  });
  watch.follow(client, () => (report.hasStopped ? "stopped" : sender.complete ? "results" : "audio"), report);
  const receiver = new EventReceiver(client, report, screen, settings.format, output, drain);
  const problems = await exchange(client, sender, receiver, run);
  screen.clearLive();
  const isClosedEarly = !sender.hasBegun && problems.length > 0 && report.errors === 0 && !io.interrupt.aborted;
  if (problems.length === 0 || report.hasStopped)
    problems.push(...report.problems(sender.complete, client.resumptions > 0));
  for (const problem of problems) trace.failed("problem", problem);
  if (sender.exhausted) {
    for (const remark of source.takeRemarks()) await screen.notice(`warning: ${remark}`, 2);
  }
  if (report.hasStopped) {
    const isPaced = settings.realTime || settings.microphone !== undefined;
    const pace = isPaced ? "in real time" : "as fast as possible";
    const lines = ["", ...inputLines(source), ...report.lines(io.clock.now(), pace), ...outputLines(output)];
    lines.push(reportLine("result", report.summary(problems)));
    for (const line of lines) {
      await (settings.format === "text" ? screen.print(line, REPORT_INDENT) : screen.notice(line, REPORT_INDENT));
    }
  }
  if ((report.isDrained || drain.signal.aborted) && !sender.exhausted)
    await screen.notice(describeUnsent(run, report), 2);
  for (const problem of problems) await screen.notice(`problem: ${excerpt(problem, Infinity)}`, 2);
  if (watch.expiredBeforeStart || isClosedEarly) return EXIT.unreachable;
  return problems.length > 0 || report.errors > 0 ? EXIT.failure : EXIT.success;
}

/** Returns undefined if there is no connection, which has been explained. Rejects with the reason of an interrupt. */
async function connectTo(
  { settings, tls, io, screen }: Run,
  fields: StartFields,
  trace: SendTrace,
  watch: ServerWatch,
): Promise<Client | undefined> {
  const { headers } = trace;
  const signal = AbortSignal.any([io.interrupt, watch.signal]);
  try {
    const { token } = settings;
    const now = () => io.clock.now();
    return await connect(settings.addr, fields, {
      now,
      signal,
      tls,
      ...(settings.grpc && { openSocket: grpcOpener(settings.addr, tls) }),
      credentials: { token },
      resumeMs: settings.waits.eventMs,
      onResume: (progress) => printResume(progress, screen),
      ...(headers && { headers }),
    });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    trace.failed(error.code, error.message);
    const reason =
      error.code === "timeout"
        ? error.message
        : settings.grpc
          ? describeGrpcFailure(error.message)
          : await findRefusalReason(settings.addr, { token: settings.token, tls }, io.interrupt);
    io.interrupt.throwIfAborted();
    await screen.notice(`cannot connect to ${printableDestination(settings)}: ${excerpt(reason, Infinity)}`, 2);
    return undefined;
  }
}

/** Sends and receives at the same time, until the server has ended the stream. Returns a sentence for each problem. */
async function exchange(
  client: Client,
  sender: AudioSender,
  receiver: EventReceiver,
  { io, screen, drain, ended }: Run,
): Promise<string[]> {
  const announce = (text: string) => () => {
    if (sender.hasBegun) void screen.notice(text, 2);
  };
  const [interrupted, drained] = [announce(INTERRUPTED), announce(DRAINED)];
  io.interrupt.addEventListener("abort", interrupted, { once: true });
  drain.signal.addEventListener("abort", drained, { once: true });
  const sending = sender.run(ended.signal);
  const problems = await receiver.run();
  io.interrupt.removeEventListener("abort", interrupted);
  drain.signal.removeEventListener("abort", drained);
  ended.abort();
  client.close();
  const sendProblem = await sending;
  return sendProblem === undefined ? problems : [...problems, sendProblem];
}

const INTERRUPTED =
  "interrupted: no more audio is sent, the results of what was sent follow; a second signal ends at once";

const DRAINED = "the server is shutting down: no more audio is sent, the results of what was sent follow";

/** Says how much of the audio was sent to a server that shut down. */
function describeUnsent({ source: { name, seconds } }: Run, { sentSeconds }: StreamReport): string {
  const total = seconds === undefined ? "" : ` of ${seconds.toFixed(2)} s`;
  return `warning: the server shut down: ${sentSeconds.toFixed(2)} s${total} of ${name} were sent, the rest was not`;
}

async function openInput(path: string, io: SendIo, signal: AbortSignal): Promise<Input> {
  if (path !== "-") return await openFile(path, signal);
  const bytes = io.stdin(signal);
  const none = { size: undefined, path: undefined };
  return { name: "standard input", bytes, ...none, [Symbol.asyncDispose]: () => Promise.resolve() };
}

async function openOutput(
  { output, input }: SendSettings,
  channels: number,
  { audioOut, interrupt }: SendIo,
): Promise<AudioOutput | undefined> {
  return output === undefined ? undefined : await openAudioOutput(output, { channels, input, audioOut, interrupt });
}

function describeSource({ name, format, seconds, decoding }: AudioSource): string {
  const sample =
    format.encoding === "pcm" ? `${format.bit_depth} bit${format.is_float ? " float" : ""}` : format.encoding;
  const length = seconds === undefined ? "length unknown" : `${seconds.toFixed(2)} s`;
  const kind = decoding === undefined ? "" : `${decoding}, `;
  return `${name}: ${kind}${length}, ${format.sample_rate} Hz, ${formatCount(format.channels, "channel")}, ${sample}`;
}

/** Reports who decoded the file, if not this program. */
function inputLines({ name, decoding }: AudioSource): string[] {
  return decoding === undefined ? [] : [reportLine("input", `${name}: ${decoding}`)];
}

/** Reports the output file, if it has audio. */
function outputLines(output: AudioOutput | undefined): string[] {
  if (output?.sampleRate === undefined) return [];
  const audio = `${formatNumber(output.frames)} samples per channel at ${formatNumber(output.sampleRate)} Hz`;
  return [reportLine("output", `${printablePath(output.path)}: ${audio}, 32 bit float`)];
}
