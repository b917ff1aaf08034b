import { constants } from "node:os";

export interface EndOptions {
  /** Called at the first signal; the process exits when it resolves, and at a second signal at once. */
  readonly onSignal: (name: NodeJS.Signals) => Promise<void>;
  /** Called when the process exits, for whatever reason. Must be synchronous. */
  readonly onExit: () => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Ends things before a signal, or anything else, ends this process. */
export function endOnSignal({ onSignal, onExit }: EndOptions): { readonly forget: () => void } {
  let isEnding = false;
  const handle = (name: NodeJS.Signals): void => {
    const exit = (): never => process.exit(128 + constants.signals[name]);
    if (isEnding) exit();
    isEnding = true;
    onSignal(name).then(exit, exit);
  };
  for (const name of SIGNALS) process.on(name, handle);
  process.on("exit", onExit);
  return {
    forget() {
      if (isEnding) return;
      for (const name of SIGNALS) process.off(name, handle);
      process.off("exit", onExit);
    },
  };
}
