/** Samples of a response of `/metrics`, by name and labels. */
export class ScrapedMetrics {
  readonly text: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];

  static async from(url: string): Promise<ScrapedMetrics> {
    const response = await fetch(`${url}/metrics`, { headers: { accept: "text/plain" } });
    if (!response.ok) throw new Error(`/metrics responds with status ${response.status}`);
    return new ScrapedMetrics(await response.text());
  }

  constructor(text: string) {
    this.text = text;
    this.samples = text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const [, name = "", labels = "", value = ""] = /^([a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
        const pairs = [...labels.matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", text = ""]) => [
          key,
          text,
        ]);
        return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
      });
  }

  /** Returns the sum of all samples with this name and these labels. Throws when there are none. */
  readonly value = (name: string, labels: Readonly<Record<string, string>> = {}): number => {
    const selected = this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
    );
    if (selected.length === 0) throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
    return selected.reduce((sum, { value }) => sum + value, 0);
  };
}
