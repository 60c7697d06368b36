import { memoryUsage } from "../../lib/memory-usage.ts";
import { messageOf } from "../../lib/thrown.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { CallExchange, CallNews } from "../../session/call-relay.ts";
import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import type { MetricSnapshot } from "../../telemetry/metrics/metric-snapshot.ts";
import type { AdminHost } from "../admin.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import type { Answers, FromProcess, ProcessReload, ServeOrder, ToProcess } from "./messages.ts";

/** News about calls that may wait to be sent to the supervisor. */
const MAX_NEWS = 4_096;

/** What a process reports about itself. */
export interface Report {
  readonly pages: Pick<AdminHost, "unready" | "describe" | "reload">;
  live(): LiveStats;
  metrics(): Promise<readonly MetricSnapshot[]>;
}

/** The connection of a process to its supervisor, over the channel that it inherited. */
export class SupervisorLink {
  /** Resolves with the first message; with undefined when the supervisor ends before. */
  readonly order: Promise<ServeOrder | undefined>;
  readonly #order = Promise.withResolvers<ServeOrder | undefined>();
  readonly #drained: (() => void)[] = [];
  readonly #gone: (() => void)[] = [];
  /** Ends the wait for messages that are not with the kernel. */
  readonly #sending = new Set<() => void>();
  #calls: (from: number, news: CallNews) => void = () => undefined;
  /** News that are not with the kernel. */
  #newsSent = 0;
  /** Some have been left out since. */
  #newsLost = false;
  #report: Report | undefined;
  /** The newest credentials, and who uses them. */
  #credentials: TlsCredentials | undefined;
  #useCredentials: ((credentials: TlsCredentials) => void) | undefined;

  constructor() {
    this.order = this.#order.promise;
    process.on("message", (message: ToProcess) => void this.#receive(message));
    process.on("disconnect", () => {
      this.#order.resolve(undefined);
      for (const callback of [...this.#gone, ...this.#sending]) callback();
    });
  }

  /** Calls back when the supervisor lets the process shut down. */
  whenDrained(callback: () => void): void {
    this.#drained.push(callback);
  }

  /** Calls back when the supervisor has ended. */
  whenGone(callback: () => void): void {
    this.#gone.push(callback);
  }

  /** Calls back when the certificates have changed since the order; at once, if they already have. */
  whenCredentials(callback: (credentials: TlsCredentials) => void): void {
    this.#useCredentials = callback;
    if (this.#credentials !== undefined) callback(this.#credentials);
  }

  /** The other processes, as far as calls are concerned. */
  get calls(): CallExchange {
    return {
      send: (news) => this.#sendNews(news),
      receive: (receiver) => (this.#calls = receiver),
    };
  }

  /** Answers questions from now on. */
  answerWith(report: Report): void {
    this.#report = report;
  }

  /** Resolves when the message is with the kernel, or the supervisor has ended. */
  async send(message: FromProcess): Promise<void> {
    if (!process.connected) return;
    await new Promise<void>((resolve) => {
      const sent = (): void => {
        this.#sending.delete(sent);
        resolve();
      };
      // Bun 1.4.5 does not call back when the supervisor ends meanwhile.
      this.#sending.add(sent);
      try {
        process.send?.(message, undefined, undefined, sent);
      } catch {
        sent();
      }
    });
  }

  /** Reports that the process cannot serve. Returns the exit code. */
  async fail(code: number, message: string): Promise<number> {
    await this.send({ type: "failed", code, message });
    return code;
  }

  #sendNews(news: CallNews): void {
    if (this.#newsSent >= MAX_NEWS) {
      this.#newsLost = true;
      return;
    }
    this.#newsSent += 1;
    void this.send({ type: "calls", news }).then(() => {
      this.#newsSent -= 1;
      if (!this.#newsLost || this.#newsSent > 0) return;
      this.#newsLost = false;
      this.#sendNews({ kind: "lost" });
    });
  }

  async #receive(message: ToProcess): Promise<void> {
    if (message.type === "serve") this.#order.resolve(message);
    else if (message.type === "credentials") {
      this.#credentials = message.credentials;
      this.#useCredentials?.(message.credentials);
    } else if (message.type === "calls") this.#calls(message.from, message.news);
    else if (message.type === "drain") for (const callback of this.#drained) callback();
    else {
      const value = this.#report && (await answer(message, this.#report));
      await this.send({ type: "answer", id: message.id, value });
    }
  }
}

async function answer(
  { what, model }: Pick<Extract<ToProcess, { type: "ask" }>, "what" | "model">,
  { pages, live, metrics }: Report,
): Promise<Answers[keyof Answers]> {
  if (what === "metrics") return await metrics();
  if (what === "info") return await pages.describe();
  if (what === "reload") return await reload(pages, model);
  if (what === "load") return { live: live(), memory: memoryUsage().rss };
  const unready = pages.unready();
  return unready === undefined ? {} : { unready: { code: unready.code, message: unready.message } };
}

async function reload(pages: Report["pages"], model: string | undefined): Promise<ProcessReload> {
  try {
    return { results: await pages.reload(model) };
  } catch (error) {
    if (error instanceof ProtocolError) return { refused: { code: error.code, message: error.message } };
    // The process logs it as a fault of its own.
    queueMicrotask(() => {
      throw error instanceof Error ? error : new Error(messageOf(error));
    });
    return { refused: { code: "internal", message: messageOf(error) } };
  }
}
