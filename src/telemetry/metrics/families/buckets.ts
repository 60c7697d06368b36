/** Waiting and processing times: 0.5 ms to 1 min. */
export const DURATION_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Delay of a timer: 1 ms to 10 s. */
export const TIMER_DELAY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** A turn of the event loop: 1 ms to 1 s. */
export const TURN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1];

/** Time since the end of speech, which includes the silence that proves the end: 100 ms to 1 min. */
export const SPEECH_END_SECONDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 30, 60];

/** Jobs in one call of a model. */
export const BATCH_SIZES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];

/** Real-time factor of the C library, which takes about a hundred thousandth of the audio's duration. */
export const NATIVE_REAL_TIME_FACTORS = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 0.01, 0.1, 1,
];

/** Real-time factor of a model, which may be slower than real time. */
export const MODEL_REAL_TIME_FACTORS = [
  1e-4, 2.5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10,
];
