import type { MiddlewareHandler } from "hono";

import type { Access } from "../auth/access.ts";
import { type PathGuard, refuse } from "./pages.ts";

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
    return unless((request) => access.refusal(request));
  };
}

/**
 * Guards the pages for operators: they need the token of an operator at an address that other machines can reach.
 * @param access undefined: they cannot
 */
export function guardOperatorPages(access: Access | undefined): PathGuard {
  return () => (access === undefined ? PASS : unless((request) => access.operatorRefusal(request)));
}

const PASS: MiddlewareHandler = (_, next) => next();

function unless(refusal: (request: Request) => Parameters<typeof refuse>[0] | undefined): MiddlewareHandler {
  return (c, next) => {
    const error = refusal(c.req.raw);
    return error === undefined ? next() : Promise.resolve(refuse(error));
  };
}
