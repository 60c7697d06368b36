import type { Input, Message } from "../../dialect.ts";
import { FileAudio } from "../../files/file-audio.ts";
import { FileDialect, type FileDialectOptions } from "../../files/file-dialect.ts";
import { RecordedAnswers, type RecordedAnswersOptions } from "./answers.ts";

/** Name of the audio in messages: the body is nothing else. */
const BODY = "body";

export interface RecordedOptions
  extends
    Pick<FileDialectOptions, "start" | "untexted">,
    Omit<RecordedAnswersOptions, "sha256">,
    Omit<ConstructorParameters<typeof FileAudio>[0], "name"> {}

/** Deepgram's API for recorded audio: the body of the request is the file. */
export class RecordedDialect extends FileDialect {
  readonly #digest: Bun.CryptoHasher;

  constructor({ format, mixes, start, untexted, ...answer }: RecordedOptions) {
    const digest = new Bun.CryptoHasher("sha256");
    const audio = new FileAudio({ format, mixes, name: BODY });
    super({ audio, start, untexted, form: new RecordedAnswers({ ...answer, sha256: () => digest.digest("hex") }) });
    this.#digest = digest;
  }

  override read(message: Message): readonly Input[] {
    if (typeof message !== "string") this.#digest.update(message);
    return super.read(message);
  }
}
