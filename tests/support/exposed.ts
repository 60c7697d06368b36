/** The series of a `/metrics`, by name and labels. */
export class Exposed {
  readonly text: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];

  static async of(url: string, accept = "text/plain"): Promise<Exposed> {
    const answer = await fetch(`${url}/metrics`, { headers: { accept } });
    if (!answer.ok) throw new Error(`/metrics answers ${answer.status}`);
    return new Exposed(await answer.text());
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

  /** The sum of all series of that name that have these labels. Throws when there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const fitting = this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
    );
    if (fitting.length === 0) throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
    return fitting.reduce((sum, { value }) => sum + value, 0);
  }
}
