/** A line on a terminal that counts what is done. */
export interface Progress {
  step(): void;
  /** Takes the line away. */
  end(): void;
}

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** @param stream where the line is; nothing is written to what is no terminal */
export function createProgress(total: number, stream: Terminal): Progress {
  const show = (text: string): void => {
    if (stream.isTTY === true) stream.write(`\r\u001b[K${text}`);
  };
  let done = 0;
  show(`verifying 0 of ${total}`);
  return {
    step() {
      done += 1;
      show(`verifying ${done} of ${total}`);
    },
    end: () => show(""),
  };
}
