import type { Readable } from "node:stream";

/** What was kept of a stream so far. */
export interface Capture {
  /** The bytes kept, as UTF-8. */
  text(): string;
  /** Whether the stream came to its end and every byte was kept. */
  isComplete(): boolean;
  /** Resolves when the stream is closed, by its end or by us. */
  readonly closed: Promise<void>;
  /** Lets go of the stream; what comes later is not read. */
  close(): void;
}

/**
 * Keeps the first bytes of a stream. A stream with more is closed, so memory stays flat however much is written.
 * @param limit bytes
 * @param onOverflow called once, when the stream had more
 */
export function capture(stream: Readable, limit: number, onOverflow: () => void): Capture {
  const chunks: Buffer[] = [];
  let room = limit;
  let isComplete = false;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, room));
    room -= chunk.length;
    if (room >= 0) return;
    room = 0;
    // Before the stream is closed, whose other end would otherwise end in its own way.
    onOverflow();
    stream.destroy();
  });
  stream.once("end", () => {
    isComplete = true;
  });
  // A pipe that breaks never ends, and that is all there is to say about it.
  stream.on("error", () => undefined);
  stream.once("close", resolve);
  return {
    text: () => Buffer.concat(chunks).toString(),
    isComplete: () => isComplete,
    closed,
    close: () => void stream.destroy(),
  };
}
