import type { Config } from "../../config/settings.ts";
import { asterisk } from "../asterisk/route.ts";
import type { Route } from "../dialect.ts";
import { twilio } from "../twilio/route.ts";
import { watch } from "./route.ts";

/** Dialects over HTTP whose clients take no results. */
const CALLS: readonly string[] = [twilio.dialect, asterisk.dialect];

/** Returns the routes at which calls are watched; none if no dialect that is spoken carries calls. */
export function watchRoutes({ dialects, audiosocket }: Pick<Config, "dialects" | "audiosocket">): Route[] {
  const carriesCalls = audiosocket.port !== 0 || dialects.enabled.some((name) => CALLS.includes(name));
  return carriesCalls ? [watch] : [];
}
