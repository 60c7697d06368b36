import { clipSource, decodeClip } from "./audio/clip.ts";
import { ChannelHistory } from "./audio/history.ts";
import { microphoneSource } from "./audio/microphone-source.ts";
import { Player } from "./audio/player.ts";
import type { Source } from "./audio/source.ts";
import { ServerView } from "./operations/server-view.ts";
import { ApiAccess, ApiRefusal } from "./stream/api-access.ts";
import { explain } from "./stream/explain.ts";
import { LiveStream } from "./stream/live-stream.ts";
import { Recording } from "./stream/record.ts";
import type { Result } from "./stream/result.ts";
import { SentTimes } from "./stream/sent-times.ts";
import { ServerWatch } from "./stream/server-watch.ts";
import { Controls } from "./view/controls.ts";
import { CurvesView } from "./view/curves.ts";
import { find, oncePerFrame } from "./view/dom.ts";
import { LedgerView } from "./view/ledger.ts";
import { Notices } from "./view/notices.ts";
import { ResultsView } from "./view/results.ts";
import { SignalView } from "./view/signal.ts";
import { Status } from "./view/status.ts";
import { Tabs } from "./view/tabs.ts";
import { TakeAway } from "./view/take-away.ts";

/** The recording that is shown. */
interface Shown {
  readonly recording: Recording;
  readonly histories: readonly ChannelHistory[];
  readonly source: Source;
}

/** The console: audio goes to the server, and what comes back is shown. */
export class ConsoleApp {
  readonly #access = new ApiAccess(location.href);
  readonly #status = new Status();
  readonly #notices = new Notices();
  readonly #signal = new SignalView();
  readonly #curves = new CurvesView();
  readonly #ledger = new LedgerView();
  readonly #player = new Player();
  readonly #takeAway = new TakeAway((words) => this.#status.say(words));
  readonly #results = new ResultsView({
    seek: ({ start }) => this.#signal.seek(start),
    play: (result, which) => this.#play(result, which),
  });
  readonly #controls = new Controls({
    microphone: () => void this.#record(() => microphoneSource(this.#controls.deviceId)),
    sample: () => void this.#record(() => this.#openSample()),
    file: (file) => void this.#record(() => this.#openClip(file.name, file)),
    stop: () => this.#stop(),
    token: (token) => {
      this.#access.token = token;
      this.#watch.look();
    },
    moved: () => this.#redecide(),
    settled: () => this.#restart(),
  });
  readonly #watch = new ServerWatch(this.#access, {
    info: (info) => {
      this.#controls.info = info;
      this.#controls.wantsToken = this.#access.token !== "";
      find("version", HTMLElement).textContent = info.version;
      this.#status.server = info.models.every(({ unavailable }) => unavailable !== undefined)
        ? "No model can serve at the moment"
        : "Ready";
    },
    problem: (problem) => {
      const isUnauthorized = problem instanceof ApiRefusal && problem.status === 401;
      this.#controls.info = undefined;
      this.#controls.wantsToken = isUnauthorized || this.#access.token !== "";
      this.#status.server = isUnauthorized ? "A token is needed" : problem.message;
    },
  });
  /** Once for many results, which may come by the thousand. */
  readonly #showCurves = oncePerFrame(() => this.#curves.show(this.#shown?.recording.results ?? []));
  #shown: Shown | undefined;
  #stream: LiveStream | undefined;
  /** Ends the source that is running; undefined: none is. */
  #running: AbortController | undefined;
  /** The one whose last results nobody waits for. */
  #abandoned: AbortController | undefined;

  start(): void {
    const server = new ServerView(this.#access);
    const tabs = new Tabs((name) => (server.isOpen = name === "server"));
    void tabs;
    this.#watch.look();
  }

  async #openSample(): Promise<Source> {
    return this.#openClip("sample", await this.#access.blob("console/sample.wav"));
  }

  async #openClip(name: string, file: Blob): Promise<Source> {
    const { isPaced, isHeard } = this.#controls;
    return clipSource(await decodeClip(name, file), { isPaced, isHeard });
  }

  /** Streams a source from its begin to its end. */
  async #record(open: () => Promise<Source>): Promise<void> {
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    this.#controls.isBusy = true;
    this.#notices.clear();
    let source: Source | undefined;
    try {
      this.#status.stream = "Opening the audio";
      source = await open();
      await this.#controls.showDevices();
      this.#status.stream = "Connecting";
      await this.#streamSource(source, running);
    } catch (error) {
      const isWanted = this.#abandoned === running || (running.signal.aborted && this.#stream === undefined);
      if (!isWanted) await this.#tellFailure(error);
    } finally {
      await source?.close();
      this.#stream = undefined;
      this.#running = undefined;
      this.#controls.isBusy = false;
      this.#status.stream = undefined;
      this.#watch.look();
    }
  }

  async #streamSource(source: Source, running: AbortController): Promise<void> {
    const times = new SentTimes(source.isPaced);
    const { recording, histories } = this.#begin(source, times);
    const stream = await LiveStream.open(
      {
        access: this.#access,
        shape: source,
        settings: this.#controls.settings,
        recording,
        times,
        onResume: ({ state }) => (this.#status.isLost = state === "lost"),
      },
      running.signal,
    );
    this.#stream = stream;
    // When the events end, by a fault or by the server, nobody needs more audio.
    const received = this.#receive(stream).finally(() => running.abort());
    received.catch(() => undefined);
    this.#status.stream = `Streaming ${source.name}`;
    await source.run(async (planes) => {
      for (const [channel, history] of histories.entries()) history.push(planes[channel]!);
      this.#signal.changed();
      await stream.send(planes);
    }, running.signal);
    this.#status.stream = "Waiting for the last results";
    stream.finish();
    await received;
  }

  #begin(source: Source, times: SentTimes): Shown {
    const { channels, sampleRate } = source;
    const settings = this.#controls.sliders.values;
    const histories = Array.from({ length: channels }, () => new ChannelHistory(sampleRate, channels, settings));
    const recording = new Recording(times, {
      result: (result) => this.#showResult(result),
      removed: (id) => this.#results.remove(id),
      notice: ({ type, message }) => this.#notices.add(type, message),
      account: (account) => this.#ledger.add(account),
    });
    this.#shown = { recording, histories, source };
    this.#results.begin(channels);
    this.#curves.begin(channels);
    this.#ledger.begin();
    this.#takeAway.recorded = { recording, channels };
    this.#showSignal();
    return this.#shown;
  }

  async #receive(stream: LiveStream): Promise<void> {
    for await (const { event } of stream.events()) {
      if (event.type === "started" && event.vad !== undefined) this.#controls.sliders.defaults = event.vad;
      this.#signal.changed();
    }
  }

  #showResult(result: Result): void {
    this.#results.show(result);
    this.#takeAway.changed();
    this.#signal.changed();
    if (result.isFinal) this.#showCurves();
  }

  #showSignal(): void {
    if (this.#shown === undefined) return;
    const { histories, recording } = this.#shown;
    const { vad } = this.#controls.settings;
    this.#signal.show({ histories, recording, thresholdDb: vad && this.#controls.sliders.values.threshold_db });
  }

  /** Shows what the sliders would do to the audio that is there. */
  #redecide(): void {
    for (const history of this.#shown?.histories ?? []) history.redecide(this.#controls.sliders.values);
    this.#showSignal();
  }

  /** Tells the server about other settings: the stream goes on in another one. */
  #restart(): void {
    try {
      this.#stream?.restart(this.#controls.settings);
    } catch {
      this.#notices.add(
        "warning",
        "The settings count from the next recording on: the connection is just being replaced.",
      );
    }
  }

  /** The first time the audio ends, and the results of what was sent still come; the second time everything ends. */
  #stop(): void {
    if (this.#running?.signal.aborted === true) {
      this.#abandoned = this.#running;
      this.#stream?.close();
    }
    this.#running?.abort();
  }

  #play({ channel, start, end, audio }: Result, which: "original" | "result"): void {
    if (which === "result" && audio !== undefined) return this.#player.play(audio.samples, audio.sampleRate);
    const samples = this.#shown?.histories[channel]?.audio(start, end);
    if (samples === undefined) this.#status.say("That audio is too long ago");
    else this.#player.play(samples, this.#shown!.source.sampleRate);
  }

  async #tellFailure(error: unknown): Promise<void> {
    this.#notices.add("error", await explain(error, this.#access));
  }
}
