import type { Route } from "../../src/dialects/dialect.ts";
import type { Port } from "../../src/dialects/port.ts";

/** A dialect of a TCP port as if it were spoken over an upgrade, for what is the same for all dialects. */
export function asRoute(port: Port): Route {
  return {
    dialect: port.dialect,
    paths: [`/${port.dialect}`],
    credentials: () => ({}),
    choose: () => undefined,
    refuse: (error) => port.refuse(error),
    open: (_path, _request, config, models = []) => port.open({ config, version: "0.0.0", models: () => models }),
  };
}
