import type { MiddlewareHandler } from "hono";

import type { Access } from "../auth/access.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { addressOf, type GuardedEnv, type PathGuard } from "./edge/guard.ts";
import { refuse } from "./pages.ts";

export interface PublicPagesOptions {
  readonly access: Access;
  /** Routes that need no token. */
  readonly publicRoutes: readonly string[];
  /** Routes that only the address for operators has. */
  readonly adminOnly: readonly string[];
}

/** Guards the pages at the address for clients: those that are not public need a token, if there are tokens. */
export function guardPublicPages({ access, publicRoutes, adminOnly }: PublicPagesOptions): PathGuard {
  return (path) => {
    if (adminOnly.includes(path)) return (c) => Promise.resolve(c.text("This page is at server.admin only.\n", 404));
    if (!access.required || publicRoutes.includes(path)) return PASS;
    return unless((request, address) => access.refusal(request, address));
  };
}

/**
 * Guards the pages for operators: they need the token of an operator at an address that other machines can reach.
 * @param access undefined: they cannot
 */
export function guardOperatorPages(access: Access | undefined): PathGuard {
  return () => (access === undefined ? PASS : unless((request, address) => access.operatorRefusal(request, address)));
}

const PASS: MiddlewareHandler<GuardedEnv> = (_, next) => next();

function unless(
  refusal: (request: Request, address: string) => ProtocolError | undefined,
): MiddlewareHandler<GuardedEnv> {
  return (c, next) => {
    const error = refusal(c.req.raw, addressOf(c.env.visit));
    return error === undefined ? next() : Promise.resolve(refuse(error));
  };
}
