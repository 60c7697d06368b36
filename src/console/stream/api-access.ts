import type { Credentials } from "../../protocol/credentials.ts";

const STORAGE_KEY = "streamer.token";

/** The server refused a request. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The server's HTTP routes, as this page reaches them: relative to its own address, so that a proxy may add a path. */
export class ApiAccess {
  readonly #base: URL;
  #token = "";

  constructor(base: string) {
    this.#base = new URL(".", base);
    try {
      this.#token = sessionStorage.getItem(STORAGE_KEY) ?? "";
    } catch {
      // A browser that keeps nothing for any page: the token lasts as long as the page does.
    }
  }

  /** Kept until the tab is closed. */
  get token(): string {
    return this.#token;
  }

  set token(token: string) {
    this.#token = token.trim();
    try {
      if (this.#token === "") sessionStorage.removeItem(STORAGE_KEY);
      else sessionStorage.setItem(STORAGE_KEY, this.#token);
    } catch {
      // As above.
    }
  }

  /** Returns the address of the streams of a pattern. */
  streamUrl(pattern: string): URL {
    const url = new URL(`api/v1/${pattern}`, this.#base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url;
  }

  /** Returns what admits one connection: a ticket, since a browser's WebSocket cannot show a token. */
  async credentials(): Promise<Credentials> {
    if (this.#token === "") return {};
    const response = await this.#fetch("api/v1/tickets", { method: "POST" });
    const { ticket } = (await response.json()) as { ticket: string };
    return { ticket };
  }

  /** Returns why the server admits nobody, or not this client, at the moment; undefined: it does not say. */
  async refusal(): Promise<ApiRefusal | undefined> {
    try {
      await this.#fetch("api/v1/tickets", { method: "POST" });
      await this.#fetch("api/v1/ready", {});
    } catch (error) {
      if (error instanceof ApiRefusal) return error;
    }
    return undefined;
  }

  async json(path: string, signal?: AbortSignal): Promise<unknown> {
    const response = await this.#fetch(path, signal ? { signal } : {});
    return response.json();
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    const response = await this.#fetch(path, signal ? { signal } : {});
    return response.text();
  }

  async blob(path: string): Promise<Blob> {
    const response = await this.#fetch(path, {});
    return response.blob();
  }

  async #fetch(path: string, options: RequestInit): Promise<Response> {
    const headers = this.#token === "" ? {} : { Authorization: `Bearer ${this.#token}` };
    const response = await fetch(new URL(path, this.#base), { ...options, headers, cache: "no-store" });
    if (!response.ok) throw new ApiRefusal(response.status, await refusalText(response));
    return response;
  }
}

async function refusalText(response: Response): Promise<string> {
  const body = await response.text();
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // A proxy in between answers in words of its own.
  }
  return `${response.status} ${response.statusText}`;
}
