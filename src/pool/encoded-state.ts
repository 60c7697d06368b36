/**
 * The state of a stream as the process of a model has encoded it: pickle, or the form of a structured clone. Decoding it
 * can run code, so such a process gets only what another one of its model has made. It is no plain data, and so never
 * part of a checkpoint.
 */
export class EncodedState {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
