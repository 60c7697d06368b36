import { describe, expect, test } from "bun:test";

import { CallMeter } from "../../../src/model/remote/call-meter.ts";
import { Endpoints } from "../../../src/model/remote/endpoints.ts";
import { EngineCalls } from "../../../src/model/remote/engine-calls.ts";
import { RemoteFailure } from "../../../src/model/remote/remote-failure.ts";
import { RetryBudget } from "../../../src/model/remote/retry-budget.ts";
import { type CallOptions, type EngineAnswer, EngineError } from "../../../src/model/remote/transport.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const URLS = ["http://a:1", "http://b:2"];
const request = { model: "m", inputs: [] };
const answer: EngineAnswer = { outputs: [] };
const status = (code: number) => new EngineError("status", `status ${code}`, code);

type Behaviour = (url: string, options: CallOptions) => Promise<EngineAnswer>;

/** Calls at engines that do as `behave` says. The first endpoint is chosen first. */
function calls(behave: Behaviour, { retries = 1, budget = 0.1, urls = URLS, failures = 3 } = {}) {
  const clock = new ManualClock();
  const made: string[] = [];
  const recorded: string[] = [];
  const endpoints = new Endpoints({
    breaker: { failures, openMs: 1_000 },
    healthMs: 0,
    check: () => Promise.resolve(),
    probe: () => Promise.resolve(),
    onAvailability: () => {},
    log: () => {},
    clock,
    random: () => 0,
  });
  endpoints.update(urls.map((url) => ({ url, label: new URL(url).host })));
  const metrics = {
    add: (name: string, labels: object = {}) => void recorded.push([name, ...Object.values(labels)].join(" ")),
    set: () => {},
    observe: () => {},
  };
  const engineCalls = new EngineCalls({
    transport: {
      infer: ({ url }, _, options) => {
        made.push(url);
        return behave(url, options);
      },
      checkReady: () => Promise.resolve(),
      readInputs: () => Promise.resolve([]),
      close: () => {},
    },
    endpoints,
    timeoutMs: 10_000,
    retries,
    budget: new RetryBudget(budget),
    meter: new CallMeter(metrics, (_, traceparent) => ({ traceparent, end: () => {} })),
    clock,
  });
  const failure = async (final = true): Promise<RemoteFailure> => {
    const error: unknown = await engineCalls.infer(request, { final }).catch((thrown: unknown) => thrown);
    if (!(error instanceof RemoteFailure)) throw new Error(`found ${String(error)}`);
    return error;
  };
  return { clock, made, recorded, endpoints, calls: engineCalls, failure };
}

describe("a retry", () => {
  test.each([
    ["nothing listens", new EngineError("refused", ""), "refused"],
    ["the connection was closed before an answer", new EngineError("reset", ""), "reset"],
    ["429", status(429), "status_4xx"],
    ["502", status(502), "status_5xx"],
    ["503", status(503), "status_5xx"],
    ["504", status(504), "status_5xx"],
  ])("goes to another endpoint: %s", async (_, error, reason) => {
    const made = calls((url) => (url === URLS[0] ? Promise.reject(error) : Promise.resolve(answer)));
    expect(await made.calls.infer(request, { final: true })).toBe(answer);
    expect(made.made).toEqual(URLS);
    expect(made.recorded).toEqual([
      `engine_requests a:1 ${reason}`,
      `engine_retries ${reason}`,
      "engine_requests b:2 ok",
    ]);
  });

  test.each([
    ["400", status(400), "inference_failed"],
    ["404", status(404), "inference_failed"],
    ["500", status(500), "inference_failed"],
    ["no answer in time", new EngineError("timeout", ""), "inference_timeout"],
    ["an answer that is cut off", new EngineError("bad_answer", ""), "inference_failed"],
    ["a call that is not wanted", new EngineError("aborted", ""), "inference_timeout"],
  ])("is not made: %s", async (_, error, code) => {
    const { failure, made } = calls(() => Promise.reject(error));
    expect((await failure()).code).toBe(code as "inference_failed");
    expect(made).toHaveLength(1);
  });

  test("is not made for an interim", async () => {
    const { failure, made } = calls(() => Promise.reject(status(503)));
    expect((await failure(false)).code).toBe("model_unavailable");
    expect(made).toHaveLength(1);
  });

  test("is made as often as configured, also at the one endpoint that there is", async () => {
    const { failure, made } = calls(() => Promise.reject(status(429)), { retries: 3, urls: ["http://a:1"] });
    expect((await failure()).code).toBe("model_unavailable");
    expect(made).toHaveLength(4);
  });

  test("is not made without budget", async () => {
    const { failure, made } = calls(() => Promise.reject(status(429)));
    for (let call = 0; call < 100; call++) await failure();
    // Ten that are saved up, and one for ten calls.
    expect(made.length).toBeGreaterThanOrEqual(119);
    expect(made.length).toBeLessThanOrEqual(120);
  });

  test("is not made when the time of the call is over", async () => {
    const { failure, made, clock } = calls(() => {
      clock.advance(10_000);
      return Promise.reject(status(503));
    });
    await failure();
    expect(made).toHaveLength(1);
  });
});

describe("a call", () => {
  const silence: Behaviour = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      const abort = () => {
        const isTimeout = (signal.reason as Error).name === "TimeoutError";
        reject(new EngineError(isTimeout ? "timeout" : "aborted", ""));
      };
      signal.addEventListener("abort", abort);
    });

  test("ends by its time, which the engine gets", async () => {
    let left: number | undefined;
    const { calls: engine, clock } = calls((url, options) => {
      left = options.timeoutMs;
      return silence(url, options);
    });
    const call = engine.infer(request, { final: true });
    clock.advance(10_000);
    await expect(call).rejects.toMatchObject({ code: "inference_timeout" });
    expect([left, clock.pending]).toEqual([10_000, 0]);
  });

  test("that is not wanted any more counts as under way until its time, and not against the endpoint", async () => {
    const { calls: engine, clock, endpoints } = calls(silence, { urls: ["http://a:1"], failures: 1 });
    const wanted = new AbortController();
    const call = engine.infer(request, { final: false, signal: wanted.signal });
    wanted.abort(new Error("overtaken"));
    await expect(call).rejects.toMatchObject({ name: "RemoteFailure" });
    const [endpoint] = endpoints.all;
    expect([endpoint?.state, endpoint?.outstanding(clock.now())]).toEqual(["closed", 1]);
    clock.advance(10_000);
    expect(endpoint?.outstanding(clock.now())).toBe(0);
  });

  test("fails at once when no endpoint is in service", async () => {
    const { failure, made } = calls(() => Promise.reject(new EngineError("refused", "nothing listens there")), {
      urls: ["http://a:1"],
      retries: 0,
    });
    for (let call = 0; call < 3; call++) await failure();
    const error = await failure();
    expect(made).toHaveLength(3);
    expect(error.code).toBe("model_unavailable");
    expect(error.message).toBe("no inference server is available (it is out of service: nothing listens there)");
  });
});

describe.each([
  ["whose model fails with 500", status(500)],
  ["whose answers cannot be read", new EngineError("bad_answer", "")],
])("an endpoint %s", (_, error) => {
  test("leaves service if there is another one", async () => {
    const made = calls((url) => (url === URLS[0] ? Promise.reject(error) : Promise.resolve(answer)));
    for (let call = 0; call < 3; call++) await made.failure();
    for (let call = 0; call < 10; call++) await made.calls.infer(request, { final: true });
    expect(made.made.filter((url) => url === URLS[0])).toHaveLength(3);
  });

  test("stays if it is the last one, so that the audio of one stream does not take down all", async () => {
    const { failure, endpoints } = calls(() => Promise.reject(error), { urls: ["http://a:1"] });
    for (let call = 0; call < 20; call++) await failure();
    expect(endpoints.unavailable).toBeUndefined();
  });
});
