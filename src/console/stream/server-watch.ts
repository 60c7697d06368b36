import { messageOf } from "../../lib/thrown.ts";
import { type ApiAccess, ApiRefusal } from "./api-access.ts";
import { readInfo, type ServerInfo } from "./server-info.ts";

/** Until the server can be used it is asked this often, and then so that a restart with other models shows. */
const RETRY_MS = 1_000;
const REFRESH_MS = 10_000;
const TIMEOUT_MS = 5_000;

export interface ServerWatchListener {
  info(info: ServerInfo): void;
  problem(problem: Error): void;
}

/** Knows whether the server can be used, and with which models. */
export class ServerWatch {
  readonly #access: ApiAccess;
  readonly #listener: ServerWatchListener;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(access: ApiAccess, listener: ServerWatchListener) {
    this.#access = access;
    this.#listener = listener;
  }

  /** Asks now. */
  look(): void {
    clearTimeout(this.#timer);
    void this.#ask().then((delay) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.look(), delay);
    });
  }

  async #ask(): Promise<number> {
    try {
      const info = readInfo(await this.#access.json("api/v1/info", AbortSignal.timeout(TIMEOUT_MS)));
      await this.#access.json("api/v1/ready", AbortSignal.timeout(TIMEOUT_MS));
      this.#listener.info(info);
      return REFRESH_MS;
    } catch (error) {
      const problem =
        error instanceof ApiRefusal ? error : new Error(`The server does not answer: ${messageOf(error)}`);
      this.#listener.problem(problem);
      return RETRY_MS;
    }
  }
}
