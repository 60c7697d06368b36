import type { Access } from "../auth/access.ts";
import type { Grant } from "../auth/grant.ts";
import type { Caller } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Admit } from "./admission.ts";

/**
 * Admits whoever shows a valid token or ticket, as the principal that it names. On public routes, and while no tokens
 * are configured, everybody else is admitted as `anonymous` decides.
 */
export function admitByToken(access: Access, publicRoutes: readonly string[], anonymous: Admit): Admit {
  return (arrival) => {
    const isPublic = publicRoutes.includes(arrival.path);
    const { token, ticket } = arrival.credentials;
    const showsNothing = token === undefined && ticket === undefined;
    if (!access.required || (isPublic && showsNothing)) return anonymous(arrival);
    const grant = access.admit(arrival.credentials, arrival.address);
    if (!(grant instanceof ProtocolError)) return callerOf(grant, arrival.address);
    return isPublic ? anonymous(arrival) : grant;
  };
}

/**
 * Admits clients of a port on which nobody can show a token: while tokens are configured, as the principal of that name,
 * and otherwise as `anonymous` decides.
 */
export function admitAs(access: Access, principal: string, anonymous: Admit): Admit {
  return (arrival) => {
    if (!access.required) return anonymous(arrival);
    const grant = access.principal(principal, arrival.address);
    return grant instanceof ProtocolError ? grant : callerOf(grant, arrival.address);
  };
}

function callerOf({ name, hash, sessions = 0, channels, models }: Grant, address: string): Caller {
  return {
    id: name,
    address,
    limits: { maxSessions: sessions, maxChannels: channels, models },
    credential: hash,
  };
}
