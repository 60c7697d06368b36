import type { ModelInfo } from "../model/model-info.ts";
import type { WorkerHost } from "./worker-host.ts";
import type { WorkersOptions } from "./workers.ts";

type StartWorker = WorkersOptions["startHost"];

/** Properties on which the streams of a pool rely. */
const RELIED_ON = ["sampleRate", "stateful", "pinned", "disposes", "maxBatch", "concurrency"] as const;

/**
 * Returns a start of hosts that ends one whose model is another than that of the first: its file has changed since, and
 * a worker that is replaced would answer with a model that its streams were not started for.
 * @param known returns the properties of the first; undefined: it is not ready
 */
export function ofSameModel(start: StartWorker, known: () => ModelInfo | undefined): StartWorker {
  return (place, events) => {
    let difference: string | undefined;
    const host: WorkerHost = start(place, {
      ready: (info) => {
        difference = differenceOf(known() ?? info, info);
        if (difference === undefined) events.ready(info);
        else host.terminate();
      },
      done: (results) => events.done(results),
      reported: (report) => {
        if (difference === undefined) events.reported(report);
      },
      strangeMessage: () => events.strangeMessage(),
      exited: (exit) => events.exited(difference === undefined ? exit : { cause: difference }),
    });
    return host;
  };
}

function differenceOf(known: ModelInfo, info: ModelInfo): string | undefined {
  const name = RELIED_ON.find((each) => known[each] !== info[each]);
  if (name === undefined) return undefined;
  return `its file has changed: ${name} was ${known[name]} and is ${info[name]}; a reload of the model uses the new one`;
}
