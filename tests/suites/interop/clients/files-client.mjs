// Files through the SDKs of OpenAI and Deepgram for JavaScript, unmodified. Usage: CASES AS JSON
// Prints what each call returns or throws, as lines of JSON.

import { createReadStream } from "node:fs";

import { DeepgramClient } from "@deepgram/sdk";
import OpenAI from "openai";

const print = (line) => console.log(JSON.stringify(line));

async function openai({ url, key, file, options }) {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  const answer = await client.audio.transcriptions.create({
    file: createReadStream(file),
    model: "whisper-1",
    ...options,
  });
  if (options.stream !== true) return answer;
  const events = [];
  for await (const event of answer) events.push(event);
  return events;
}

async function deepgram({ url, key, file, options }) {
  const client = new DeepgramClient({ apiKey: key, baseUrl: url, maxRetries: 0 });
  return await client.listen.v1.media.transcribeFile(createReadStream(file), { model: "nova-3", ...options });
}

/** The names of the fields in which the SDKs have the status and the body of a refusal. */
function describe(error) {
  const { status, statusCode, error: body, body: text, code } = error;
  return { status: status ?? statusCode, code, body: body ?? text, message: error.message };
}

for (const each of JSON.parse(process.argv[2])) {
  const { name, kind } = each;
  try {
    print({ name, result: await (kind === "deepgram" ? deepgram(each) : openai(each)) });
  } catch (error) {
    print({ name, error: describe(error) });
  }
}
