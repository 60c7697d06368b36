import type { Result } from "../stream/result.ts";
import { type SpokenWord, spokenWords } from "../stream/spoken-words.ts";
import { clockText, find, make } from "./dom.ts";

/** What a result's buttons do. */
export interface ResultActions {
  /** Shows the span in the signal. */
  seek(result: Result): void;
  /** Plays what was sent, or what the model has returned. */
  play(result: Result, which: "original" | "result"): void;
}

/** Pixels from the end of a list within which it goes on scrolling. */
const NEAR_END_PX = 60;
/** Most characters, words and fields of a result that the page lays out. Copies and files have all of them. */
const MAX_CHARACTERS = 4_000;
const MAX_WORDS = 500;
const MAX_FIELDS = 100;

/** The results of a recording, a column for each channel. */
export class ResultsView {
  readonly #place = find("results", HTMLElement);
  readonly #empty = find("no-results", HTMLElement);
  readonly #actions: ResultActions;
  readonly #items = new Map<number, HTMLElement>();
  #columns: { readonly list: HTMLElement; readonly growing: HTMLElement; readonly box: HTMLElement }[] = [];

  constructor(actions: ResultActions) {
    this.#actions = actions;
  }

  /** Begins a recording. */
  begin(channels: number): void {
    this.#items.clear();
    this.#empty.hidden = false;
    this.#columns = Array.from({ length: channels }, (_, channel) => {
      const label = channels === 1 ? "Results" : `Results of channel ${channel}`;
      // Only what is settled is read aloud.
      const list = make("ol");
      const log = make("div", { attributes: { role: "log", "aria-live": "polite", "aria-label": label } }, list);
      const growing = make("div", { className: "growing" });
      const title = channels === 1 ? [] : [make("h3", {}, `Channel ${channel}`)];
      const box = make("div", {
        className: "column",
        tabIndex: 0,
        attributes: { role: "region", "aria-label": label },
      });
      box.append(...title, log, growing);
      return { list, growing, box };
    });
    this.#place.replaceChildren(...this.#columns.map(({ box }) => box));
  }

  show(result: Result): void {
    const column = this.#columns[result.channel];
    if (column === undefined) return;
    this.#empty.hidden = true;
    const { box, list, growing } = column;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    this.remove(result.id);
    const item = this.#make(result);
    this.#items.set(result.id, item);
    if (result.isFinal) list.append(item);
    else growing.replaceChildren(item);
    if (follows) box.scrollTop = box.scrollHeight;
  }

  remove(id: number): void {
    this.#items.get(id)?.remove();
    this.#items.delete(id);
  }

  #make(result: Result): HTMLElement {
    const { start, end, isFinal, text, fields, error, timing } = result;
    const item = make(isFinal ? "li" : "div", { className: "result" });
    item.dataset["state"] = error !== undefined ? "error" : isFinal ? "final" : "interim";
    const when = make("button", { type: "button", className: "time", title: "Show it in the signal" });
    when.textContent = `${clockText(start)} – ${clockText(end)}`;
    when.addEventListener("click", () => this.#actions.seek(result));
    item.append(make("div", { className: "result-head" }, when, ...timings(timing), ...this.#players(result)));
    if (error !== undefined) item.append(make("p", { className: "said error" }, shortened(`No result: ${error}`)));
    else if (text !== undefined)
      item.append(make("p", { className: "said" }, text === "" ? "(nothing)" : shortened(text)));
    const { words, ...others } = fields;
    const spoken = spokenWords(words);
    if (spoken !== undefined) item.append(wordsList(spoken));
    const shown = spoken === undefined ? fields : others;
    if (Object.keys(shown).length > 0) item.append(fieldsTable(shown, text === undefined));
    return item;
  }

  #players(result: Result): HTMLElement[] {
    if (!result.isFinal || result.end <= result.start) return [];
    const button = (label: string, which: "original" | "result"): HTMLElement => {
      const made = make("button", { type: "button", className: "play" }, label);
      made.addEventListener("click", () => this.#actions.play(result, which));
      return made;
    };
    return [button("▶ original", "original"), ...(result.audio ? [button("▶ result", "result")] : [])];
  }
}

function timings({ latencyMs, queueMs, computeMs }: Result["timing"]): HTMLElement[] {
  const chip = (label: string, value: number | undefined, title: string): HTMLElement[] =>
    value === undefined ? [] : [make("span", { className: "chip", title }, `${label} ${value.toFixed(0)} ms`)];
  return [
    ...chip("latency", latencyMs, "From the end of speech, as it was sent, to the result"),
    ...chip("queue", queueMs, "In the queue of the model"),
    ...chip("compute", computeMs, "In the model"),
  ];
}

/** Each word tells its time to whoever points at it. */
function wordsList(words: readonly SpokenWord[]): HTMLElement {
  const spans = words.slice(0, MAX_WORDS).map(({ word, hint }) => make("span", { title: hint }, shortened(word)));
  return make("p", { className: "words" }, ...spans, more(words.length - MAX_WORDS, "words"));
}

/** @param isLarge the fields are all that was said */
function fieldsTable(fields: Result["fields"], isLarge: boolean): HTMLElement {
  const entries = Object.entries(fields);
  const rows = entries
    .slice(0, MAX_FIELDS)
    .map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row" }, shortened(name)), make("td", {}, shortened(valueText(value)))),
    );
  const table = make("table", { className: isLarge ? "fields large" : "fields" }, ...rows);
  return make("div", { className: "wide" }, table, more(entries.length - MAX_FIELDS, "fields"));
}

function shortened(text: string): string {
  return `${text.slice(0, MAX_CHARACTERS)}${more(text.length - MAX_CHARACTERS, "characters")}`;
}

function more(count: number, unit: string): string {
  return count > 0 ? ` … (${count.toLocaleString("en")} more ${unit})` : "";
}

function valueText(value: unknown): string {
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 4 });
  return typeof value === "string" ? value : JSON.stringify(value);
}
