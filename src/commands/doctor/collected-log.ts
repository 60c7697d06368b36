import type { Verdict } from "./finding.ts";

/** A log that collects what the server would warn of. */
export class CollectedLog {
  readonly messages: { readonly verdict: Verdict; readonly event: string; readonly text: string }[] = [];

  /** For all calls, also those of information. */
  readonly info = (): void => {};
  readonly warn = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    this.#add("warning", event, fields);
  };
  readonly error = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    this.#add("failure", event, fields);
  };

  #add(verdict: Verdict, event: string, { message }: Readonly<Record<string, unknown>>): void {
    this.messages.push({ verdict, event, text: typeof message === "string" ? message : event });
  }
}
