import uPlot from "uplot";

import { color, make } from "./dom.ts";

/** One curve. */
export interface Curve {
  readonly label: string;
  /** Name of a color of the style sheet. */
  readonly color: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** The x axis has seconds of a recording; default: times of the day. */
  readonly isRecording?: boolean;
  /** Digits behind the point. */
  readonly digits?: number;
}

const HEIGHT_PX = 130;

/** A line chart of values over time. */
export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #place = make("div", { attributes: { role: "img" } });
  readonly #latest = make("figcaption");
  readonly #resizes = new ResizeObserver(() => this.#resize());
  /** Aborted when the chart is removed. */
  readonly #removal = new AbortController();
  #plot: uPlot | undefined;
  #data: (number | null)[][];

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#data = [[], ...options.curves.map(() => [])];
    this.#describe(options.curves.map(() => undefined));
    this.element = make("figure", { className: "chart" }, this.#latest, this.#place);
    this.#resizes.observe(this.#place);
    const { signal } = this.#removal;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild(), { signal });
  }

  /** Takes the chart off the page, for good. */
  remove(): void {
    this.#removal.abort();
    this.#resizes.disconnect();
    this.#plot?.destroy();
    this.element.remove();
  }

  /** @param data times in seconds, and the values of each curve; null: there is none at this time */
  show(data: (number | null)[][]): void {
    this.#data = data;
    this.#plot?.setData(data as uPlot.AlignedData);
    this.#describe(this.#options.curves.map((_, index) => data[index + 1]?.findLast((each) => each !== null)));
  }

  /** Says the latest values in words. */
  #describe(latest: readonly (number | null | undefined)[]): void {
    const { title, unit, curves, digits = 0 } = this.#options;
    const values = curves.map(({ label }, index) => {
      const value = latest[index];
      const text = value === undefined || value === null ? "–" : `${value.toFixed(digits)}${unit && ` ${unit}`}`;
      return curves.length === 1 ? text : `${label} ${text}`;
    });
    this.#place.setAttribute("aria-label", `${title}: ${values.join(", ")}`);
    const keys = curves.map(({ color: name }, index) => make("span", { className: `value ${name}` }, values[index]!));
    this.#latest.replaceChildren(make("b", {}, title), ...keys);
  }

  #resize(): void {
    const width = this.#place.clientWidth;
    if (width === 0) return;
    if (this.#plot === undefined) this.#rebuild();
    else this.#plot.setSize({ width, height: HEIGHT_PX });
  }

  #rebuild(): void {
    const width = this.#place.clientWidth;
    this.#plot?.destroy();
    this.#plot = undefined;
    if (width === 0) return;
    const { curves, isRecording = false } = this.#options;
    const axis = {
      stroke: color("muted"),
      grid: { stroke: color("line"), width: 1 },
      ticks: { stroke: color("line") },
    };
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT_PX,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: !isRecording } },
        axes: [isRecording ? axis : { ...axis, values: timesOfDay }, { ...axis, size: 56 }],
        series: [
          {},
          ...curves.map(({ label, color: name }) => ({
            label,
            stroke: color(name),
            width: 1.6,
            points: { show: isRecording },
            spanGaps: true,
          })),
        ],
      },
      this.#data as uPlot.AlignedData,
      this.#place,
    );
  }
}

function timesOfDay(_: uPlot, times: number[]): string[] {
  return times.map((time) => new Date(time * 1000).toLocaleTimeString([], { hour12: false }));
}
