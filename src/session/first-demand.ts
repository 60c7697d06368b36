import type { Demand } from "../capacity/demand.ts";
import type { Opened } from "../dialects/dialect.ts";
import type { Services } from "../stream/services.ts";

/** What the first stream of a connection will ask for, as far as it is known: one channel, mostly of the default model. */
export function firstDemand({ pattern, model: chosen, start }: Opened, models: Services["models"]): Demand {
  const [first = ""] = models.keys();
  const model = chosen ?? first;
  return { pattern: pattern.name, model, channels: start?.format.channels ?? 1 };
}
