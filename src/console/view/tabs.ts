import { find } from "./dom.ts";

const NAMES = ["stream", "server"] as const;
export type TabName = (typeof NAMES)[number];

/** The two parts of the console (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/). The address remembers the open one. */
export class Tabs {
  readonly #opened: (name: TabName) => void;

  constructor(opened: (name: TabName) => void) {
    this.#opened = opened;
    for (const [index, name] of NAMES.entries()) {
      const tab = tabOf(name);
      tab.addEventListener("click", () => this.open(name));
      tab.addEventListener("keydown", ({ key }) => {
        if (key !== "ArrowLeft" && key !== "ArrowRight") return;
        const other = NAMES[(index + 1) % NAMES.length]!;
        this.open(other);
        tabOf(other).focus();
      });
    }
    window.addEventListener("hashchange", () => this.#follow());
    this.#follow();
  }

  open(opened: TabName): void {
    for (const name of NAMES) {
      const tab = tabOf(name);
      tab.setAttribute("aria-selected", String(name === opened));
      tab.tabIndex = name === opened ? 0 : -1;
      find(`panel-${name}`, HTMLElement).hidden = name !== opened;
    }
    history.replaceState(null, "", `#${opened}`);
    this.#opened(opened);
  }

  #follow(): void {
    this.open(NAMES.find((name) => location.hash === `#${name}`) ?? "stream");
  }
}

function tabOf(name: TabName): HTMLButtonElement {
  return find(`tab-${name}`, HTMLButtonElement);
}
