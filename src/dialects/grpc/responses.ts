import type { ResultAudio } from "../../model/job.ts";
import type { Data, Segment, ServerEvent } from "../../protocol/events.ts";
import { contractOfGrpc, type Plain } from "./contract.ts";
import { toStruct } from "./struct.ts";

/** Returns the StreamResponse of an event; undefined: the contract has no such event. */
export function writeGrpcEvent(event: ServerEvent, audio?: ResultAudio): Uint8Array | undefined {
  const { response } = contractOfGrpc();
  const { type } = event;
  if (!Object.hasOwn(response.fields, type)) return undefined;
  return response.encode({ [type]: messageOf(event, audio) }).finish();
}

function messageOf(event: ServerEvent, audio: ResultAudio | undefined): Plain {
  switch (event.type) {
    case "segment":
      return segmentOf(event, audio);
    case "data":
      return dataOf(event, audio);
    default: {
      const { type: _, ...fields } = event;
      return fields;
    }
  }
}

function segmentOf(event: Segment, audio: ResultAudio | undefined): Plain {
  const { type: _, start_time, end_time, is_final, channel, timing, audio: described, ...output } = event;
  return {
    ...{ start_time, end_time, channel, output: toStruct(output) },
    ...(is_final !== undefined && { is_final }),
    ...(timing !== undefined && { timing }),
    ...soundOf(described, audio),
  };
}

function dataOf({ type: _, channel, audio: described, ...output }: Data, audio: ResultAudio | undefined): Plain {
  return { channel, output: toStruct(output), ...soundOf(described, audio) };
}

function soundOf(described: Segment["audio"], audio: ResultAudio | undefined): Plain {
  if (audio === undefined || described === undefined) return {};
  const { buffer, byteOffset, byteLength } = audio.samples;
  const samples = new Uint8Array(buffer, byteOffset, byteLength);
  return { audio: { samples, sample_rate: described.sample_rate } };
}
