/** The codes of `warning`, each with its message: something is suspicious but accepted. */
export const WARNINGS = {
  wav_header: "A WAV header in the audio was skipped.",
  wav_data: "A second data chunk of a WAV file was skipped: send its samples, too, without its head.",
  looks_like: "The audio looks like something other than what the start announced.",
  too_quiet: "What may be speech is below the level at which speech begins.",
  clipping: "Samples are at full scale: the recording level is too high.",
  silence: "A channel has been exactly zero for 10 seconds.",
  not_a_number: "Samples that were NaN or infinite were replaced by 0.",
  out_of_range: "Float samples are beyond -1..1; they are kept, limited to -8..8.",
  identical_channels: "All channels carry the same samples.",
  draining: "The server is shutting down; an open stream may go on until the deadline.",
  not_resumable: "The state of the stream is too large for a checkpoint: until it is smaller, there are no more.",
  state_lost: "The model has begun anew: its state could not be kept.",
} as const;

export type WarningCode = keyof typeof WARNINGS;
