// A thread that uses one function of the C library, and reports which it has opened.
import { native } from "../../../src/native/library.ts";

declare const self: Worker;

const functions = native();
functions.sa_copy(new Float32Array(1), 0, new Float32Array(1), 0, 1);
const opened = Object.entries(Object.getOwnPropertyDescriptors(functions)).filter(
  ([, { value }]) => value !== undefined,
);
self.postMessage(opened.map(([name]) => name));
