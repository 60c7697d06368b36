import { find, make } from "./dom.ts";

/** Most notices at a time. */
const MAX_NOTICES = 20;

/** Warnings and errors, in words. The same one is counted instead of repeated. */
export class Notices {
  readonly #list = find("notices", HTMLElement);
  readonly #shown = new Map<string, { readonly item: HTMLElement; readonly count: HTMLElement; times: number }>();

  add(kind: "error" | "warning", message: string): void {
    const key = `${kind} ${message}`;
    const known = this.#shown.get(key);
    if (known !== undefined) {
      known.times += 1;
      known.count.textContent = ` (${known.times} times)`;
      return;
    }
    const count = make("span");
    const close = make("button", { type: "button", className: "close", attributes: { "aria-label": "Dismiss" } }, "×");
    const label = make("strong", {}, kind === "error" ? "Error: " : "Warning: ");
    const item = make("li", { className: kind }, make("span", {}, label, message, count), close);
    close.addEventListener("click", () => this.#remove(key));
    this.#shown.set(key, { item, count, times: 1 });
    this.#list.append(item);
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > MAX_NOTICES) this.#remove(oldest!);
  }

  clear(): void {
    this.#shown.clear();
    this.#list.replaceChildren();
  }

  #remove(key: string): void {
    this.#shown.get(key)?.item.remove();
    this.#shown.delete(key);
  }
}
