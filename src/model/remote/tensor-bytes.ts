import { ARRAYS, elementsOf, type Tensor, type TensorType } from "./tensor.ts";
import { EngineError } from "./transport.ts";

/** Bytes before each element of `BYTES`: its length, little-endian. */
const LENGTH_BYTES = 4;

/** Returns the elements of a tensor as the binary extension of the protocol, and gRPC, have them: little-endian. */
export function tensorBytes({ data }: Tensor): Uint8Array {
  if (isTexts(data)) return textBytes(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Returns a tensor from its bytes, which are copied. Throws EngineError if they are not as many as the shape needs. */
export function tensorFromBytes({ name, datatype, shape }: TensorType, bytes: Uint8Array): Tensor {
  const elements = elementsOf(shape);
  if (datatype === "BYTES") {
    const data = textsFrom(bytes, name);
    if (data.length !== elements) throw misfit(name, `${data.length} elements`, shape);
    return { name, datatype, shape, data };
  }
  const Numbers = ARRAYS[datatype];
  if (bytes.length !== (elements ?? -1) * Numbers.BYTES_PER_ELEMENT) throw misfit(name, `${bytes.length} bytes`, shape);
  return { name, datatype, shape, data: new Numbers(new Uint8Array(bytes).buffer) };
}

function textBytes(texts: readonly string[]): Uint8Array {
  const parts = texts.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(parts.reduce((total, part) => total + LENGTH_BYTES + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    bytes.set(part, at + LENGTH_BYTES);
    at += LENGTH_BYTES + part.length;
  }
  return bytes;
}

function textsFrom(bytes: Uint8Array, name: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = at + LENGTH_BYTES <= bytes.length ? view.getUint32(at, true) : Infinity;
    const end = at + LENGTH_BYTES + length;
    if (end > bytes.length) throw new EngineError("bad_answer", `the output "${name}" ends within an element`);
    texts.push(decoder.decode(bytes.subarray(at + LENGTH_BYTES, end)));
    at = end;
  }
  return texts;
}

function isTexts(data: Tensor["data"]): data is readonly string[] {
  return Array.isArray(data);
}

function misfit(name: string, found: string, shape: readonly number[]): EngineError {
  return new EngineError(
    "bad_answer",
    `the output "${name}" has ${found}, which are not its shape [${shape.join(", ")}]`,
  );
}
