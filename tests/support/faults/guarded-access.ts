import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { Authority, type Issued } from "../certificates.ts";

/** Files of a server that asks for tokens over TLS, and what its clients and its operators show. */
export class GuardedAccess implements AsyncDisposable {
  readonly folder: string;
  readonly token = newToken();
  readonly operator = newToken();
  readonly tls: { readonly ca: string };
  /** A token that the next change of the file takes away. */
  leaving = newToken();
  readonly #certificates: Issued[];

  static async create(): Promise<GuardedAccess> {
    const authority = await Authority.create();
    const folder = await mkdtemp(join(tmpdir(), "streamer-guarded-"));
    const access = new GuardedAccess(folder, authority.cert, [await authority.issue(), await authority.issue()]);
    await Bun.write(join(folder, "keys"), `test ${"11".repeat(32)}\n`, { mode: 0o600 });
    await access.changeTokens();
    await access.renewCertificate();
    return access;
  }

  private constructor(folder: string, ca: string, certificates: Issued[]) {
    this.folder = folder;
    this.tls = { ca };
    this.#certificates = certificates;
  }

  get settings(): Readonly<Record<string, string>> {
    const path = (name: string) => join(this.folder, name);
    return {
      "auth.tokens": path("tokens"),
      "auth.secret_file": path("keys"),
      "auth.public_routes": "/,/api/v1/health,/api/v1/ready,/api/v1/simple",
      "server.tls_cert": path("tls.pem"),
      "server.tls_key": path("tls.pem"),
      // It needs a token only where other machines could reach it.
      "server.admin": "0.0.0.0:0",
    };
  }

  headers(token = this.token): { readonly Authorization: string } {
    return { Authorization: `Bearer ${token}` };
  }

  /** Writes a token file in which another token has taken the place of `leaving`. */
  async changeTokens(): Promise<void> {
    this.leaving = newToken();
    const line = (name: string, token: string, admin = false): string =>
      formatTokenLine({ name, hash: hashToken(token).toString("hex"), admin });
    const lines = [line("client", this.token), line("ops", this.operator, true), line("leaving", this.leaving)];
    await writeFile(join(this.folder, "tokens"), `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  /** Replaces certificate and key by others, in one step. */
  async renewCertificate(): Promise<void> {
    const next = this.#certificates.shift()!;
    this.#certificates.push(next);
    const path = join(this.folder, "tls.pem");
    await writeFile(`${path}.new`, next.cert + next.key, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
