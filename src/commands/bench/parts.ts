import { readClientTls } from "../terminal/client-tls.ts";
import { tokenHeaders } from "../terminal/client-token.ts";
import { type GeneratorUse, type LoadEvents, type LoadResult, runLoad } from "./load.ts";
import { loadRecordings, type Plan } from "./plan.ts";
import { Tally } from "./tally.ts";

/** The argument with which `bench` starts a process that runs a part of the streams. */
export const PART_ARGUMENT = "part";
/** Time for all processes to learn when the streams begin. */
const BEGIN_MS = 200;

interface PartOrder {
  readonly plan: Plan;
  readonly part: number;
  /** Shown to the server. */
  readonly token: string | undefined;
}

/** The command line of this program, without arguments. */
export function ownProgram(): string[] {
  // The executable takes its commands directly; from source, Bun needs the path of the program first.
  return Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main];
}

/**
 * Runs a plan in `plan.parts` processes, of which this is one.
 * @param program the command line of Streamer, without arguments @param token shown to the server
 */
export async function runPlan(
  plan: Plan,
  program: readonly string[],
  events: LoadEvents,
  token?: string,
): Promise<LoadResult> {
  const others = Array.from({ length: plan.parts - 1 }, (_, i) => new OtherPart(program, { plan, part: i + 1, token }));
  try {
    const run = await preparePart({ plan, part: 0, token });
    await Promise.all(others.map((other) => other.ready()));
    const beginAt = Date.now() + (others.length > 0 ? BEGIN_MS : 0);
    for (const other of others) other.begin(beginAt);
    const own = await run(beginAt, events);
    return merge([own, ...(await Promise.all(others.map((other) => other.result())))]);
  } finally {
    for (const other of others) other.kill();
  }
}

/**
 * The program of a part. Reads its order from the first line of standard input, prints a line when it is ready, reads
 * the time to begin from the second line, in milliseconds since the epoch, and prints the result.
 */
export async function runPartProgram(): Promise<void> {
  const lines = console[Symbol.asyncIterator]();
  const order = JSON.parse((await lines.next()).value as string) as PartOrder;
  const run = await preparePart(order);
  process.stdout.write("ready\n");
  const result = await run(Number((await lines.next()).value), {});
  await Bun.write(Bun.stdout, JSON.stringify(result));
}

/** Reads the audio. Returns a function that runs the streams from a time on, in milliseconds since the epoch. */
async function preparePart({ plan, part, token }: PartOrder) {
  const { addr, audio, tls, ...rest } = plan;
  const load = {
    ...rest,
    headers: tokenHeaders(token),
    tls: await readClientTls(tls),
    url: new URL(addr),
    recordings: await loadRecordings(audio),
    part,
  };
  return (beginAt: number, events: LoadEvents) => runLoad(load, beginAt - performance.timeOrigin, events);
}

/** Another process that runs a part of the streams. */
class OtherPart {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #output: AsyncIterator<Uint8Array>;
  #text = "";

  constructor(program: readonly string[], order: PartOrder) {
    this.#child = Bun.spawn([...program, "bench", PART_ARGUMENT], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      // Without it Bun 1.4.5 passes on what the program has removed, such as its token.
      env: process.env,
    });
    this.#output = this.#child.stdout[Symbol.asyncIterator]();
    this.#write(JSON.stringify(order));
  }

  /** Resolves when the process has read its audio. */
  async ready(): Promise<void> {
    while (!this.#text.includes("\n")) if (!(await this.#read())) throw new Error("a process of the generator failed");
  }

  begin(at: number): void {
    this.#write(String(at));
  }

  async result(): Promise<LoadResult> {
    while (await this.#read());
    if ((await this.#child.exited) !== 0) throw new Error("a process of the generator failed");
    return JSON.parse(this.#text.slice(this.#text.indexOf("\n"))) as LoadResult;
  }

  kill(): void {
    this.#child.kill();
  }

  #write(line: string): void {
    void this.#child.stdin.write(`${line}\n`);
    void this.#child.stdin.flush();
  }

  /** Returns false at the end of the output. */
  async #read(): Promise<boolean> {
    const { done, value } = await this.#output.next();
    if (done === true) return false;
    this.#text += Buffer.from(value).toString();
    return true;
  }
}

function merge(results: readonly LoadResult[]): LoadResult {
  const tally = new Tally();
  const generator: GeneratorUse = { cores: 0, busiest: 0 };
  for (const result of results) {
    tally.add(result.tally);
    generator.cores += result.generator.cores;
    generator.busiest = Math.max(generator.busiest, result.generator.busiest);
  }
  return {
    tally,
    generator,
    open: results.reduce((sum, { open }) => sum + open, 0),
    countedMs: Math.max(...results.map(({ countedMs }) => countedMs)),
  };
}
