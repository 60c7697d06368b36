import type { ErrorEvent } from "../../protocol/events.ts";
import type { Span, Spoken } from "../words.ts";
import type { Item, Items } from "./items.ts";
import type { ServerMessage } from "./messages.ts";
import type { Turns } from "./turns.ts";

/** Characters of a transcript after which it is committed although the client has not: it may never do so. */
const MAX_CHARACTERS = 262_144;

/** Items that end where the client commits them. Speech without a commit goes into the next one. */
export class CommittedTurns implements Turns {
  readonly #items: Items;
  /** Items that have been committed and whose flush has no answer. */
  readonly #committed: Item[] = [];
  /** The item that is not committed, if there is anything of it. */
  #next: Item | undefined;
  #cleared = false;

  constructor(items: Items) {
    this.#items = items;
  }

  commit(): ServerMessage[] {
    const item = this.#next ?? this.#items.create();
    this.#next = undefined;
    this.#committed.push(item);
    return this.#items.commit(item);
  }

  active(): ServerMessage[] {
    return [];
  }

  inactive(): ServerMessage[] {
    return [];
  }

  interim(text: string): ServerMessage[] {
    return this.#item?.interim(text) ?? [];
  }

  final(span: Span, spoken: Spoken | undefined): ServerMessage[] {
    const messages = this.#item?.add(spoken, span) ?? [];
    return this.#next !== undefined && this.#next.text.length > MAX_CHARACTERS
      ? [...messages, ...this.#endNext()]
      : messages;
  }

  failed(_span: Span, error: ErrorEvent, isModels: boolean): ServerMessage[] {
    const item = isModels ? this.#item : (this.#committed[0] ?? this.#next);
    item?.fail(error);
    return [];
  }

  flushed(): ServerMessage[] {
    const item = this.#committed.shift();
    return item === undefined ? [] : [item.end()];
  }

  clear(): void {
    this.#next = undefined;
    this.#cleared = true;
  }

  stopped(goesOn: boolean): ServerMessage[] {
    this.#cleared = false;
    const committed = this.#committed.splice(0).map((item) => item.end());
    return goesOn ? committed : [...committed, ...this.#endNext()];
  }

  /** The item that results belong to; undefined: they are not reported. */
  get #item(): Item | undefined {
    const [first] = this.#committed;
    if (first !== undefined || this.#cleared) return first;
    return (this.#next ??= this.#items.create());
  }

  #endNext(): ServerMessage[] {
    const item = this.#next;
    this.#next = undefined;
    return item === undefined || item.isEmpty ? [] : [...this.#items.commit(item), item.end()];
  }
}
