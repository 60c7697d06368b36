import type { StreamSettings } from "../stream/live-stream.ts";
import type { ServerInfo } from "../stream/server-info.ts";
import { find, make } from "./dom.ts";
import { DetectorSliders } from "./sliders.ts";

/** What each pattern does, for people. */
const PATTERNS: Readonly<Record<string, string>> = {
  segmented: "Segmented: speech is detected, and each utterance goes to the model",
  simple: "Simple: all audio, in blocks, at once",
  stateful: "Stateful: all audio, in turn, with carried state",
};
const DETECTING = "segmented";

/** What somebody does with the controls. */
export interface ControlActions {
  microphone(): void;
  sample(): void;
  file(file: File): void;
  stop(): void;
  /** A token was typed. */
  token(token: string): void;
  /** A slider has moved. */
  moved(): void;
  /** Settings that a running stream can take have changed. */
  settled(): void;
}

/** Everything that is chosen before and while audio is streamed. */
export class Controls {
  readonly sliders: DetectorSliders;
  readonly #model = find("model", HTMLSelectElement);
  readonly #patterns = find("patterns", HTMLElement);
  readonly #interims = find("interims", HTMLInputElement);
  readonly #device = find("device", HTMLSelectElement);
  readonly #detector = find("detector", HTMLFieldSetElement);
  readonly #sources = ["microphone", "sample", "open"].map((id) => find(id, HTMLButtonElement));
  readonly #stop = find("stop", HTMLButtonElement);
  /** The source that was chosen last, by its button. */
  #pressed = this.#sources[0]!;
  #info: ServerInfo | undefined;
  #isBusy = false;

  constructor(actions: ControlActions) {
    this.sliders = new DetectorSliders(actions.moved, actions.settled);
    const [microphone, sample, open] = this.#sources;
    const file = find("file", HTMLInputElement);
    microphone!.addEventListener("click", () => actions.microphone());
    sample!.addEventListener("click", () => actions.sample());
    open!.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (chosen !== undefined) actions.file(chosen);
      // The same file may be chosen again.
      file.value = "";
    });
    this.#stop.addEventListener("click", () => actions.stop());
    this.#model.addEventListener("change", () => this.#showPatterns());
    this.#patterns.addEventListener("change", () => this.#showDetector());
    this.#interims.addEventListener("change", () => actions.settled());
    const token = find("token", HTMLInputElement);
    token.addEventListener("change", () => actions.token(token.value));
    find("controls", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    this.#listenForFiles(actions);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isBusy) actions.stop();
    });
    void this.showDevices();
  }

  get settings(): StreamSettings {
    const pattern = this.#pattern;
    const vad = pattern === DETECTING ? this.sliders.chosen : undefined;
    return { model: this.#model.value, pattern, interims: this.#interims.checked, vad };
  }

  /** Undefined: the browser's. */
  get deviceId(): string | undefined {
    return this.#device.value || undefined;
  }

  get isPaced(): boolean {
    return document.querySelector<HTMLInputElement>("input[name=pace]:checked")?.value !== "full-speed";
  }

  get isHeard(): boolean {
    return find("hear", HTMLInputElement).checked;
  }

  /** A recording is running: what it cannot change is fixed. */
  set isBusy(isBusy: boolean) {
    const focused = document.activeElement;
    this.#isBusy = isBusy;
    this.#stop.disabled = !isBusy;
    this.#enable();
    // A button that is disabled loses the focus, and with it people at a keyboard their place.
    const source = this.#sources.find((button) => button === focused);
    if (isBusy && source !== undefined) {
      this.#pressed = source;
      this.#stop.focus();
    } else if (!isBusy && focused === this.#stop) this.#pressed.focus();
  }

  /** Undefined: the server cannot be used. */
  set info(info: ServerInfo | undefined) {
    const isSame = JSON.stringify(info?.models) === JSON.stringify(this.#info?.models);
    this.#info = info;
    if (!isSame) this.#showModels();
    this.#enable();
  }

  /** Asks for a token. */
  set wantsToken(wants: boolean) {
    for (const id of ["token-field", "token-hint"]) find(id, HTMLElement).hidden = !wants;
  }

  /** Lists the microphones, once the browser tells their names. */
  async showDevices(): Promise<void> {
    const media = navigator.mediaDevices as MediaDevices | undefined;
    const devices = (await media?.enumerateDevices().catch(() => [])) ?? [];
    const inputs = devices.filter(({ kind, label }) => kind === "audioinput" && label !== "");
    const chosen = this.#device.value;
    this.#device.replaceChildren(...inputs.map(({ deviceId, label }) => make("option", { value: deviceId }, label)));
    if (inputs.some(({ deviceId }) => deviceId === chosen)) this.#device.value = chosen;
    find("device-field", HTMLElement).hidden = inputs.length < 2;
  }

  get #pattern(): string {
    return this.#patterns.querySelector<HTMLInputElement>("input:checked")?.value ?? DETECTING;
  }

  #listenForFiles(actions: ControlActions): void {
    const { body } = document;
    body.addEventListener("dragover", (event) => {
      event.preventDefault();
      body.classList.add("dropping");
    });
    body.addEventListener("dragleave", ({ relatedTarget }) => {
      if (relatedTarget === null) body.classList.remove("dropping");
    });
    body.addEventListener("drop", (event) => {
      event.preventDefault();
      body.classList.remove("dropping");
      const [file] = event.dataTransfer?.files ?? [];
      if (file !== undefined && !this.#isBusy) actions.file(file);
    });
  }

  #enable(): void {
    const isReady = this.#info !== undefined && this.#info.models.length > 0;
    for (const button of this.#sources) button.disabled = this.#isBusy || !isReady;
    this.#model.disabled = this.#isBusy;
    this.#device.disabled = this.#isBusy;
    for (const input of this.#patterns.querySelectorAll("input")) input.disabled = this.#isBusy;
    for (const input of document.querySelectorAll<HTMLInputElement>("input[name=pace], #hear"))
      input.disabled = this.#isBusy;
  }

  #showModels(): void {
    const chosen = this.#model.value;
    const models = this.#info?.models ?? [];
    this.#model.replaceChildren(...models.map(({ name }) => make("option", { value: name }, name)));
    if (models.some(({ name }) => name === chosen)) this.#model.value = chosen;
    this.#showPatterns();
  }

  #showPatterns(): void {
    const model = this.#info?.models.find(({ name }) => name === this.#model.value);
    const chosen = this.#pattern;
    const offered = Object.keys(PATTERNS).filter((name) => model?.patterns.includes(name) === true);
    const checked = offered.includes(chosen) ? chosen : offered[0];
    const choices = offered.map((name) => {
      const input = make("input", { type: "radio", name: "pattern", value: name, checked: name === checked });
      return make("label", {}, input, ` ${PATTERNS[name]!}`);
    });
    this.#patterns.replaceChildren(...choices);
    this.#showDetector();
    this.#enable();
  }

  #showDetector(): void {
    this.#detector.disabled = this.#pattern !== DETECTING;
  }
}
