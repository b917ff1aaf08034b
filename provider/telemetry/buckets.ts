/** Upper bounds of histograms in seconds. Boundaries at 1, 2 and 3: the time-outs of Provider objects and of the webhook. */
export const LONG = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 10,
];
export const COARSE = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 3, 10];
export const SHORT = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
