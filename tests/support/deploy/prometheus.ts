import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitUntil } from "../wait.ts";

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

interface QueryResponse {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: { metric: Record<string, string>; value: [number, string] }[] };
}

/** A real Prometheus that scrapes one server twice a second. */
export class Prometheus implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #url: string;

  /** @param ruleFiles absolute paths */
  static async start(program: string, target: string, ruleFiles: readonly string[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-prometheus-"));
    const config = {
      global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: "streamer", static_configs: [{ targets: [target] }] }],
    };
    await Bun.write(join(folder, "prometheus.yml"), JSON.stringify(config));
    using probe = Bun.serve({ port: 0, fetch: () => new Response() });
    const address = `127.0.0.1:${probe.port}`;
    await probe.stop(true);
    const child = Bun.spawn(
      [
        program,
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=${address}`,
        "--enable-feature=exemplar-storage",
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const prometheus = new Prometheus(folder, child, `http://${address}`);
    await waitUntil("Prometheus is ready", async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus exited: ${await new Response(child.stderr).text()}`);
      return await prometheus.#get("/-/ready").then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return prometheus;
  }

  private constructor(folder: string, child: Bun.Subprocess<"ignore", "ignore", "pipe">, url: string) {
    this.#folder = folder;
    this.#child = child;
    this.#url = url;
  }

  /** Evaluates an expression now. Throws the error of Prometheus when it is invalid. */
  async query(expression: string): Promise<Sample[]> {
    const response = await this.#get(`/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`);
    const body = (await response.json()) as QueryResponse;
    if (body.status !== "success") throw new Error(`${expression}: ${body.error}`);
    return (body.data?.result ?? []).map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Returns the names of all scraped and recorded series. */
  async names(): Promise<string[]> {
    const body = (await (await this.#get("/api/v1/label/__name__/values")).json()) as { data: string[] };
    return body.data;
  }

  /** Returns the rules and alerts that cannot be evaluated, each as `name: reason`. */
  async brokenRules(): Promise<string[]> {
    interface Rules {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    }
    const { data } = (await (await this.#get("/api/v1/rules")).json()) as Rules;
    const rules = data.groups.flatMap((group) => group.rules);
    return rules.filter(({ health }) => health !== "ok").map(({ name, lastError }) => `${name}: ${lastError}`);
  }

  /** Returns the labels of the exemplars of the last 10 minutes. */
  async exemplars(series: string): Promise<Readonly<Record<string, string>>[]> {
    const start = Date.now() / 1000 - 600;
    const query = new URLSearchParams({ query: series, start: String(start), end: String(start + 1200) });
    interface Exemplars {
      data: { exemplars: { labels: Record<string, string> }[] }[];
    }
    const { data } = (await (await this.#get(`/api/v1/query_exemplars?${query.toString()}`)).json()) as Exemplars;
    return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #get(path: string): Promise<Response> {
    return await fetch(`${this.#url}${path}`);
  }
}
