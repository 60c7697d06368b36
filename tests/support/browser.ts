import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

import { tool } from "./requirements.ts";

/** Chromium of the machine; undefined: there is none. */
export const CHROMIUM = tool("chromium", "chromium");

const ARGUMENTS = [
  // Tests may run as root, in a container.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

/** Far longer than anything takes, so that a busy machine fails no test. */
const WAIT_MS = 120_000;

/** A browser whose microphone hears a file. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  /** @param recording WAV file that its microphone hears once */
  static async launch(recording: string): Promise<TestBrowser> {
    const args = [...ARGUMENTS, `--use-file-for-fake-audio-capture=${recording}%noloop`];
    return new TestBrowser(await chromium.launch({ executablePath: CHROMIUM!, args }));
  }

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Opens a page in a profile of its own. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<OpenedPage> {
    const context = await this.#browser.newContext({ permissions: ["microphone"], ...options });
    const opened = new OpenedPage(context, await context.newPage());
    await opened.page.goto(url);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** A page, and what went wrong in it. */
export class OpenedPage implements AsyncDisposable {
  readonly page: Page;
  /** Errors of scripts, violations of the policy, files that could not be loaded. */
  readonly faults: string[] = [];
  readonly #context: BrowserContext;

  constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    page.setDefaultTimeout(WAIT_MS);
    page.on("pageerror", ({ message }) => this.faults.push(message));
    page.on("console", (message) => message.type() === "error" && this.faults.push(message.text()));
  }

  /** Waits until the element has this text. */
  async until(selector: string, text: string | RegExp): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor();
  }

  /** Returns the texts of all elements. */
  texts(selector: string): Promise<string[]> {
    return this.page.locator(selector).allInnerTexts();
  }

  /** Sets a slider, as a person does with the keyboard or the mouse. */
  async slide(id: string, value: number): Promise<void> {
    await this.page.locator(`#${id}`).fill(String(value));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}
