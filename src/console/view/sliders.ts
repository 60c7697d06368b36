import { VAD_DEFAULTS, VAD_RANGES, type VadSettings } from "../../protocol/vad-settings.ts";
import { find, make } from "./dom.ts";

type Key = keyof VadSettings;

interface Slider {
  readonly key: Key;
  readonly label: string;
  readonly unit: string;
  readonly step: number;
  readonly help: string;
}

const SLIDERS: readonly Slider[] = [
  { key: "threshold_db", label: "Threshold", unit: "dB", step: 1, help: "Above the noise floor, where speech begins" },
  { key: "floor_dbfs", label: "Lowest floor", unit: "dBFS", step: 1, help: "Lower it for quiet recordings" },
  { key: "min_speech_ms", label: "Least speech", unit: "ms", step: 10, help: "Shorter sounds are no speech" },
  { key: "min_silence_ms", label: "Silence at the end", unit: "ms", step: 50, help: "So much ends an utterance" },
  { key: "pre_roll_ms", label: "Audio before", unit: "ms", step: 10, help: "So much goes to the model before speech" },
  { key: "post_roll_ms", label: "Audio behind", unit: "ms", step: 10, help: "So much goes to the model behind speech" },
  { key: "max_utterance_ms", label: "Longest utterance", unit: "ms", step: 500, help: "Longer ones are cut" },
];

/** Milliseconds without a change after which the server is told. */
const SETTLE_MS = 350;

/** The settings of the detector as sliders. */
export class DetectorSliders {
  readonly #inputs = new Map<Key, { readonly input: HTMLInputElement; readonly show: () => void }>();
  /** The settings of the server, as far as they are known. */
  #defaults: VadSettings = VAD_DEFAULTS;
  #touched = new Set<Key>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #moved: () => void;
  readonly #settled: () => void;

  /** @param moved called at each change; @param settled called when no other has followed for a moment */
  constructor(moved: () => void, settled: () => void) {
    this.#moved = moved;
    this.#settled = settled;
    // There it would push everything else out of sight.
    if (matchMedia("(max-width: 52rem)").matches) find("detector-details", HTMLDetailsElement).open = false;
    find("sliders", HTMLElement).append(...SLIDERS.map((slider) => this.#make(slider)));
    find("reset-detector", HTMLButtonElement).addEventListener("click", () => {
      this.#touched.clear();
      this.#showDefaults();
      this.#change();
    });
  }

  /** All settings in effect. */
  get values(): VadSettings {
    const entries = SLIDERS.map(({ key }) => [key, Number(this.#inputs.get(key)!.input.value)]);
    return Object.fromEntries(entries) as VadSettings;
  }

  /** The settings that somebody has moved: the others are left to the server. */
  get chosen(): Partial<VadSettings> {
    const values = this.values;
    // The server refuses a longer one.
    const isMoved = this.#touched.has("min_silence_ms") || this.#touched.has("post_roll_ms");
    const post = isMoved && values.post_roll_ms > values.min_silence_ms;
    const chosen = Object.fromEntries([...this.#touched].map((key) => [key, values[key]]));
    return { ...chosen, ...(post && { post_roll_ms: values.min_silence_ms }) };
  }

  /** The server has said which settings are in effect. */
  set defaults(settings: Readonly<Partial<Record<Key, number | undefined>>>) {
    const untouched = Object.entries(settings).filter(
      ([key, value]) => value !== undefined && !this.#touched.has(key as Key),
    );
    this.#defaults = { ...this.#defaults, ...Object.fromEntries(untouched) };
    this.#showDefaults();
  }

  #make({ key, label, unit, step, help }: Slider): HTMLElement {
    const [min, max] = VAD_RANGES[key];
    const id = `slider-${key}`;
    const input = make("input", { type: "range", id });
    for (const [name, value] of Object.entries({ min, max, step })) input.setAttribute(name, String(value));
    input.setAttribute("aria-describedby", `${id}-help`);
    const output = make("output", { attributes: { for: id } });
    const show = (): void => {
      output.textContent = `${input.value} ${unit}`;
      input.setAttribute("aria-valuetext", `${input.value} ${unit}`);
    };
    input.value = String(VAD_DEFAULTS[key]);
    show();
    input.addEventListener("input", () => {
      this.#touched.add(key);
      show();
      this.#change();
    });
    this.#inputs.set(key, { input, show });
    const head = make("span", { className: "slider-head" }, make("label", { htmlFor: id }, label), output);
    return make("div", { className: "slider" }, head, input, make("p", { className: "hint", id: `${id}-help` }, help));
  }

  #showDefaults(): void {
    for (const [key, { input, show }] of this.#inputs) {
      if (this.#touched.has(key)) continue;
      input.value = String(this.#defaults[key]);
      show();
    }
  }

  #change(): void {
    this.#moved();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#settled, SETTLE_MS);
  }
}
