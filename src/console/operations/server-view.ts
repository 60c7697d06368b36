import { type ApiAccess, ApiRefusal } from "../stream/api-access.ts";
import { type LiveStats, readInfo, type ServerInfo } from "../stream/server-info.ts";
import { Chart, type ChartOptions } from "../view/chart.ts";
import { find, make } from "../view/dom.ts";
import { quantileBetween, readExposition, type Samples, sum } from "./exposition.ts";

const INTERVAL_MS = 1_000;
/** Readings that the charts show: five minutes. */
const MAX_READINGS = 300;
/** A reading that takes longer counts as failed. */
const TIMEOUT_MS = 4_000;
const MIB = 1024 * 1024;

/** What the server has said at one moment. */
interface Reading {
  /** Seconds since 1970. */
  readonly time: number;
  readonly live: LiveStats;
  /** Undefined: the metrics cannot be read here. */
  readonly metrics: Samples | undefined;
}

/** A chart, and its values at a reading. */
interface Panel extends ChartOptions {
  values(now: Reading, before: Reading): readonly (number | undefined)[];
}

const rate = (now: Reading, before: Reading, value: (reading: Reading) => number): number =>
  Math.max(0, value(now) - value(before)) / Math.max(0.001, now.time - before.time);
const metric =
  (name: string, labels?: Readonly<Record<string, string>>) =>
  ({ metrics }: Reading): number =>
    metrics === undefined ? NaN : sum(metrics, name, labels);
const latency = (now: Reading, before: Reading, quantile: number): number | undefined => {
  if (now.metrics === undefined || before.metrics === undefined) return undefined;
  const seconds = quantileBetween(before.metrics, now.metrics, "streamer_speech_end_to_final_seconds", quantile);
  return seconds === undefined ? undefined : seconds * 1000;
};

const PANELS: readonly Panel[] = [
  {
    title: "Streams",
    unit: "",
    curves: [
      { label: "sessions", color: "series-2" },
      { label: "streams", color: "series-1" },
    ],
    values: ({ live }) => [live.sessions, live.streams],
  },
  {
    title: "Audio received",
    unit: "s/s",
    digits: 1,
    curves: [{ label: "audio", color: "series-1" }],
    values: (now, before) => [rate(now, before, metric("streamer_audio_received_seconds_total"))],
  },
  {
    title: "Real-time factor of the model",
    unit: "",
    digits: 3,
    curves: [{ label: "compute per audio", color: "series-3" }],
    values: (now, before) => {
      const audio = now.live.audio_seconds - before.live.audio_seconds;
      return [audio <= 0 ? undefined : (now.live.inference_seconds - before.live.inference_seconds) / audio];
    },
  },
  {
    title: "Calls of the model",
    unit: "",
    curves: [
      { label: "running", color: "series-1" },
      { label: "finals waiting", color: "series-3" },
      { label: "interims waiting", color: "series-2" },
    ],
    values: ({ live: { queue } }) => [queue.running, queue.finals, queue.interims],
  },
  {
    title: "End of speech to result",
    unit: "ms",
    curves: [
      { label: "p50", color: "series-1" },
      { label: "p95", color: "series-3" },
    ],
    values: (now, before) => [latency(now, before, 0.5), latency(now, before, 0.95)],
  },
  {
    title: "Audio memory",
    unit: "MiB",
    digits: 1,
    curves: [
      { label: "used", color: "series-1" },
      { label: "resident", color: "series-2" },
    ],
    values: ({ live: { arena } }) => [arena.used_bytes / MIB, arena.resident_bytes / MIB],
  },
  {
    title: "Refused and failed",
    unit: "/s",
    digits: 1,
    curves: [
      { label: "sessions refused", color: "series-3" },
      { label: "errors", color: "series-4" },
    ],
    values: (now, before) => [
      rate(now, before, metric("streamer_sessions_refused_total")),
      rate(now, before, metric("streamer_errors_total")),
    ],
  },
  {
    title: "Event loop busy",
    unit: "%",
    curves: [{ label: "busy", color: "series-1" }],
    values: (now) => [metric("streamer_event_loop_utilization_ratio")(now) * 100],
  },
];

/** How the server is doing, read from it about once a second while the view is open. */
export class ServerView {
  readonly #access: ApiAccess;
  readonly #notice = find("server-notice", HTMLElement);
  readonly #charts = PANELS.map((panel) => ({ panel, chart: new Chart(panel), columns: emptyColumns(panel) }));
  #last: Reading | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #isReading = false;
  /** Why there are no metrics; undefined: there are. */
  #metricsProblem: string | undefined;

  constructor(access: ApiAccess) {
    this.#access = access;
    find("charts", HTMLElement).append(...this.#charts.map(({ chart }) => chart.element));
  }

  set isOpen(isOpen: boolean) {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    clearTimeout(this.#timer);
    // One reading at a time, however quickly the view is opened and closed.
    if (isOpen && !this.#isReading) void this.#poll();
  }

  async #poll(): Promise<void> {
    this.#isReading = true;
    try {
      await this.#read();
      this.#say(this.#metricsProblem);
    } catch (error) {
      const refused = error instanceof ApiRefusal ? error.message : "it does not answer; trying again";
      this.#say(`The server cannot be read: ${refused}`);
    }
    this.#isReading = false;
    if (this.#isOpen) this.#timer = setTimeout(() => void this.#poll(), INTERVAL_MS);
  }

  async #read(): Promise<void> {
    const info = readInfo(await this.#access.json("api/v1/info", AbortSignal.timeout(TIMEOUT_MS)));
    const reading = { time: Date.now() / 1000, live: info.live, metrics: await this.#metrics() };
    // A server that was started again counts from 0.
    if (this.#last !== undefined && this.#last.live.uptime_seconds <= info.live.uptime_seconds)
      this.#add(reading, this.#last);
    this.#last = reading;
    showFacts(info);
    showModels(info);
    showAddresses(info);
  }

  async #metrics(): Promise<Samples | undefined> {
    try {
      const text = await this.#access.text("metrics", AbortSignal.timeout(TIMEOUT_MS));
      this.#metricsProblem = undefined;
      return readExposition(text);
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      this.#metricsProblem = `Some charts stay empty, because there are no metrics here: ${error.message}`;
      return undefined;
    }
  }

  #add(now: Reading, before: Reading): void {
    for (const { panel, chart, columns } of this.#charts) {
      const values = panel
        .values(now, before)
        .map((value) => (value === undefined || Number.isNaN(value) ? null : value));
      for (const [index, value] of [now.time, ...values].entries()) {
        columns[index]!.push(value);
        if (columns[index]!.length > MAX_READINGS) columns[index]!.shift();
      }
      chart.show(columns);
    }
  }

  #say(problem: string | undefined): void {
    this.#notice.hidden = problem === undefined;
    if (problem !== undefined && this.#notice.textContent !== problem) this.#notice.textContent = problem;
  }
}

function emptyColumns({ curves }: Panel): (number | null)[][] {
  return [[], ...curves.map(() => [])];
}

function showFacts({ version, live }: ServerInfo): void {
  const share = live.arena.bytes === 0 ? 0 : live.arena.used_bytes / live.arena.bytes;
  const facts: readonly (readonly [string, string])[] = [
    ["Version", version],
    ["Up", duration(live.uptime_seconds)],
    ["Sessions", `${live.sessions} of ${live.capacity}`],
    ["Channels", String(live.channels)],
    ["Workers", String(live.workers)],
    ["Waiting", String(live.queue.finals + live.queue.interims)],
    ["Audio memory", `${(share * 100).toFixed(1)} %`],
    ["Keeps up", live.overloaded === 0 ? "yes" : "no: new streams are refused"],
  ];
  const entries = facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  find("facts", HTMLElement).replaceChildren(...entries);
}

function showModels({ models }: ServerInfo): void {
  const rows = models.map((model) => [
    model.name === model.own_name || model.own_name === "" ? model.name : `${model.name} (${model.own_name})`,
    `${model.sample_rate} Hz`,
    model.patterns.join(", "),
    model.pinned ? "pinned" : model.stateful ? "carried" : "none",
    String(model.generation),
    model.unavailable ?? "serves",
  ]);
  show(find("models", HTMLTableElement), ["Model", "Rate", "Patterns", "State", "Generation", "Now"], rows);
}

function showAddresses({ dialects }: ServerInfo): void {
  const base = new URL(".", location.href).href;
  const streams = base.replace(/^http/, "ws");
  const rows = dialects.flatMap(({ name, paths, files, port }) => [
    ...paths.map((path) => [name, streams + path.slice(1)]),
    ...files.map((path) => [name, `POST ${base}${path.slice(1)}`]),
    ...(port === undefined ? [] : [[name, `${location.hostname}, port ${port}`]]),
  ]);
  show(find("addresses", HTMLTableElement), ["Dialect", "Address"], rows);
}

function show(table: HTMLTableElement, heads: readonly string[], rows: readonly (readonly string[])[]): void {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((text) => make("td", {}, text))));
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

function duration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
