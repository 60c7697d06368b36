/** Plays pieces of audio, one at a time. */
export class Player {
  #context: AudioContext | undefined;
  #playing: AudioBufferSourceNode | undefined;

  /** @param sampleRate Hz */
  play(samples: Float32Array<ArrayBuffer>, sampleRate: number): void {
    const context = (this.#context ??= new AudioContext());
    const buffer = context.createBuffer(1, samples.length, sampleRate);
    buffer.copyToChannel(samples, 0);
    this.#playing?.stop();
    this.#playing = new AudioBufferSourceNode(context, { buffer });
    this.#playing.connect(context.destination);
    this.#playing.start();
  }
}
