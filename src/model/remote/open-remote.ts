import type { AnyModel, LoadContext } from "../model.ts";
import { openTransport, RemoteEngines } from "./remote-engines.ts";
import { RemoteModel, RemoteStatefulModel } from "./remote-model.ts";
import { RemoteRequests } from "./remote-requests.ts";
import { RemoteSequences } from "./remote-sequences.ts";
import type { RemoteSettings } from "./settings.ts";

/** Opens a remote model: with state, in sequences, or neither, as its settings say. */
export async function openRemoteModel(settings: RemoteSettings, context: LoadContext): Promise<AnyModel> {
  const { state } = settings;
  const requests = new RemoteRequests(settings);
  const transport = await openTransport(settings, () => performance.now());
  const engines = new RemoteEngines(settings, context, transport, requests);
  if (state?.sequence === true) return new RemoteSequences(requests, engines);
  return state?.tensors === undefined ? new RemoteModel(requests, engines) : new RemoteStatefulModel(requests, engines);
}
