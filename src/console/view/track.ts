import type { ChannelHistory } from "../audio/history.ts";
import { captionOf } from "../stream/captions.ts";
import type { Result } from "../stream/result.ts";
import type { Speech } from "../stream/speech-times.ts";
import { color, make } from "./dom.ts";

/** Range of the level graph, dBFS. */
const TOP_DB = 0;
const BOTTOM_DB = -90;
/** The share of the height that the waveform has; the level has the rest. */
const WAVE_SHARE = 0.55;
const CAPTION_PX = 16;
const TICK_PX = 70;
const TICKS = [0.5, 1, 2, 5, 10, 15, 30, 60];

/** What a track shows. */
export interface TrackContent {
  readonly history: ChannelHistory;
  readonly speech: readonly Speech[];
  readonly results: readonly Result[];
  /** Above the floor, dB; undefined: the pattern has no detector. */
  readonly thresholdDb: number | undefined;
}

interface Theme {
  readonly wave: string;
  readonly speech: string;
  readonly level: string;
  readonly floor: string;
  readonly threshold: string;
  readonly preview: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly caption: string;
  readonly error: string;
}

/** The signal of one channel: waveform, speech, results, and level against noise floor and threshold. */
export class Track {
  readonly element: HTMLElement;
  readonly #canvas = make("canvas", { attributes: { role: "img" } });
  readonly #reading = make("p", { className: "reading" });
  readonly #title: string;

  constructor(channel: number, channels: number) {
    this.#title = channels === 1 ? "Signal" : `Channel ${channel}`;
    this.#canvas.setAttribute("aria-label", `${this.#title}: waveform with speech, level and noise floor over time`);
    this.element = make("figure", { className: "track" }, this.#canvas, this.#reading);
  }

  /** Draws the time from `start` on. @param seconds that the width shows */
  draw(content: TrackContent, start: number, seconds: number): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    const context = this.#canvas.getContext("2d");
    if (context === null || width === 0) return;
    context.scale(scale, scale);
    const drawing = new TrackDrawing(context, { width, height, start, seconds }, theme());
    drawing.draw(content);
    this.#read(content);
  }

  #read({ history, speech, thresholdDb }: TrackContent): void {
    const last = history.at(history.range[1] - 1);
    const isSpeech = speech.at(-1)?.end === undefined && speech.length > 0;
    const level = last === undefined ? "no audio yet" : `${last.level.toFixed(0)} dBFS`;
    const floor = last === undefined || thresholdDb === undefined ? "" : `, noise floor ${last.floor.toFixed(0)} dBFS`;
    const words = thresholdDb === undefined ? "" : isSpeech ? " – speech" : " – no speech";
    this.#reading.textContent = `${this.#title}: ${level}${floor}${words}`;
  }
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly start: number;
  readonly seconds: number;
}

class TrackDrawing {
  readonly #context: CanvasRenderingContext2D;
  readonly #frame: Frame;
  readonly #theme: Theme;

  constructor(context: CanvasRenderingContext2D, frame: Frame, colors: Theme) {
    this.#context = context;
    this.#frame = frame;
    this.#theme = colors;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
  }

  draw({ history, speech, results, thresholdDb }: TrackContent): void {
    this.#drawTimes();
    for (const { start, end } of speech) this.#fill(start, end ?? history.seconds, this.#theme.speech);
    this.#drawWave(history);
    if (thresholdDb === undefined) this.#drawLine(history, this.#theme.level, ({ level }) => level);
    else {
      this.#drawLine(history, this.#theme.floor, ({ floor }) => floor, [2, 3]);
      this.#drawLine(history, this.#theme.threshold, ({ floor }) => floor + thresholdDb, [6, 3]);
      this.#drawLine(history, this.#theme.level, ({ level }) => level);
      this.#drawPreview(history);
    }
    for (const result of results) this.#drawResult(result);
  }

  get #waveHeight(): number {
    return (this.#frame.height - CAPTION_PX) * WAVE_SHARE;
  }

  #x(time: number): number {
    return ((time - this.#frame.start) / this.#frame.seconds) * this.#frame.width;
  }

  #levelY(level: number): number {
    const top = CAPTION_PX + this.#waveHeight;
    const share = (TOP_DB - Math.max(BOTTOM_DB, Math.min(TOP_DB, level))) / (TOP_DB - BOTTOM_DB);
    return top + share * (this.#frame.height - top - 3);
  }

  #fill(start: number, end: number, style: string): void {
    const [left, right] = [this.#x(start), this.#x(end)];
    if (right < 0 || left > this.#frame.width) return;
    this.#context.fillStyle = style;
    this.#context.fillRect(left, CAPTION_PX, Math.max(1, right - left), this.#frame.height - CAPTION_PX);
  }

  #drawTimes(): void {
    const { width, height, start, seconds } = this.#frame;
    const step = TICKS.find((each) => (each / seconds) * width >= TICK_PX) ?? 60;
    this.#context.fillStyle = this.#theme.muted;
    this.#context.strokeStyle = this.#theme.line;
    for (let time = Math.ceil(Math.max(0, start) / step) * step; time < start + seconds; time += step) {
      const x = Math.round(this.#x(time)) + 0.5;
      this.#context.beginPath();
      this.#context.moveTo(x, CAPTION_PX);
      this.#context.lineTo(x, height);
      this.#context.stroke();
      this.#context.fillText(`${time} s`, x + 3, height - 7);
    }
  }

  #drawWave(history: ChannelHistory): void {
    const middle = CAPTION_PX + this.#waveHeight / 2;
    this.#context.fillStyle = this.#theme.wave;
    for (let x = 0; x < this.#frame.width; x++) {
      const [from, to] = this.#windows(history, x);
      let low = 0;
      let high = 0;
      for (let index = from; index < to; index++) {
        const window = history.at(index);
        if (window === undefined) continue;
        low = Math.min(low, window.low);
        high = Math.max(high, window.high);
      }
      const top = middle - (Math.min(1, high) * this.#waveHeight) / 2;
      const bottom = middle - (Math.max(-1, low) * this.#waveHeight) / 2;
      if (this.#isKnown(history, x)) this.#context.fillRect(x, top, 1, Math.max(1, bottom - top));
    }
  }

  /** Draws a curve of the windows. */
  #drawLine(
    history: ChannelHistory,
    style: string,
    value: (window: { level: number; floor: number }) => number,
    dash: number[] = [],
  ): void {
    this.#context.strokeStyle = style;
    this.#context.lineWidth = 1.4;
    this.#context.setLineDash(dash);
    this.#context.beginPath();
    for (let x = 0; x < this.#frame.width; x++) {
      const window = history.at(this.#windows(history, x)[0]);
      if (window !== undefined) this.#context.lineTo(x, this.#levelY(value(window)));
    }
    this.#context.stroke();
    this.#context.setLineDash([]);
  }

  /** A line below, where the sliders take the signal for speech. */
  #drawPreview(history: ChannelHistory): void {
    this.#context.fillStyle = this.#theme.preview;
    for (let x = 0; x < this.#frame.width; x++) {
      const window = history.at(this.#windows(history, x)[0]);
      if (window?.speech === true) this.#context.fillRect(x, this.#frame.height - 3, 1, 3);
    }
  }

  #drawResult(result: Result): void {
    const [left, right] = [this.#x(result.start), this.#x(result.end)];
    if (right < 0 || left > this.#frame.width || right <= left) return;
    const { caption, error, text } = this.#theme;
    this.#context.fillStyle = result.error === undefined ? caption : error;
    this.#context.globalAlpha = result.isFinal ? 1 : 0.5;
    this.#context.fillRect(left, 0, Math.max(2, right - left - 1), CAPTION_PX - 2);
    this.#context.globalAlpha = 1;
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(left, 0, right - left - 3, CAPTION_PX);
    this.#context.clip();
    this.#context.fillStyle = text;
    // More than fits would only take time.
    const words = (result.error ?? captionOf(result)).slice(0, Math.ceil(right - left));
    this.#context.fillText(words, Math.max(2, left + 3), CAPTION_PX / 2);
    this.#context.restore();
  }

  /** Returns the windows of a column of pixels. */
  #windows(history: ChannelHistory, x: number): readonly [number, number] {
    const { start, seconds, width } = this.#frame;
    const at = (column: number): number => Math.floor((start + (column / width) * seconds) / history.windowSeconds);
    return [at(x), Math.max(at(x) + 1, at(x + 1))];
  }

  #isKnown(history: ChannelHistory, x: number): boolean {
    return history.at(this.#windows(history, x)[0]) !== undefined;
  }
}

function theme(): Theme {
  const style = (name: string): string => color(name);
  return {
    wave: style("wave"),
    speech: style("speech"),
    level: style("level"),
    floor: style("floor"),
    threshold: style("threshold"),
    preview: style("preview"),
    text: style("caption-text"),
    muted: style("muted"),
    line: style("line"),
    caption: style("caption"),
    error: style("error-fill"),
  };
}
