import type { Account } from "../stream/record.ts";
import { find, make } from "./dom.ts";

const PARTS = ["inferred", "silent", "failed"] as const;

interface Totals extends Record<(typeof PARTS)[number], number> {
  decoded: number;
}

/** The ledgers of a recording: every sample that was sent went to the model, was silence, or has an error. */
export class LedgerView {
  readonly #section = find("ledger-section", HTMLElement);
  readonly #place = find("ledger", HTMLElement);
  #accounts: Account[] = [];

  begin(): void {
    this.#accounts = [];
    this.#section.hidden = true;
  }

  add(account: Account): void {
    this.#accounts.push(account);
    this.#section.hidden = false;
    const channels = account.stopped.channels.map(({ channel }) => this.#bar(channel, account.modelRate));
    const problems = this.#accounts.flatMap((each) => each.problems);
    const { reason: end } = account.stopped;
    // A restart is one that the sliders have asked for.
    const reason = end === "stop" || end === "restart" ? "" : ` The server ended the stream: ${end}.`;
    const verdict =
      problems.length === 0
        ? make("p", { className: "good" }, `It adds up: every sample that was sent is accounted for.${reason}`)
        : make("ul", { className: "bad" }, ...problems.map((problem) => make("li", {}, problem)));
    this.#place.replaceChildren(...channels, verdict);
  }

  #bar(channel: number, rate: number): HTMLElement {
    const totals: Totals = { decoded: 0, inferred: 0, silent: 0, failed: 0 };
    for (const { stopped } of this.#accounts) {
      const ledger = stopped.channels.find((each) => each.channel === channel);
      for (const name of ["decoded", ...PARTS] as const) totals[name] += ledger?.[name] ?? 0;
    }
    const seconds = (samples: number): string => `${(samples / rate).toFixed(2)} s`;
    const bar = make("div", { className: "bar", attributes: { "aria-hidden": "true" } });
    for (const name of PARTS) {
      const part = make("span", { className: name });
      part.style.flexGrow = String(totals[name]);
      bar.append(part);
    }
    const words = PARTS.map((name) => `${seconds(totals[name])} ${name}`).join(" + ");
    const name = this.#accounts[0]!.stopped.channels.length === 1 ? "" : `Channel ${channel}: `;
    return make("div", {}, bar, make("p", {}, `${name}${seconds(totals.decoded)} of audio = ${words}`));
  }
}
