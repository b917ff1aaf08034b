import { writeSync } from "node:fs";
import pino from "pino";
import { errorCode } from "../lib/error-code.ts";
import type { LogLevel } from "../lib/log-level.ts";
import type { Decision, Pin } from "../verify/decision.ts";
import { quote, quoteKey } from "./line.ts";

/** Where lines go: whole ones, each with its line feed. */
export interface Destination {
  /** @param isUrgent whether what was written goes out now; otherwise it may wait for more */
  write(lines: string, isUrgent: boolean): void;
  /** Resolves when what was written has gone out, or nobody reads any more. */
  end?(): Promise<void>;
}

/**
 * Everything that a line may say besides its message. No header, no body, no environment, no path of a secret: what is
 * not on this list is not written, whatever the types were told.
 */
const FIELDS = [
  "url",
  "admin",
  "version",
  "node",
  "signal",
  "exitCode",
  /** A word for what happened. */
  "reason",
  /** Sentences of ours. */
  "problem",
  "problems",
  "policy",
  "provider",
  "state",
  /** RFC 3339. */
  "expiresAt",
  /** Of AWS: what was asked, where and as whom. */
  "service",
  "operation",
  "region",
  "role",
  "source",
  /** AWS's own words, without what may be a secret. */
  "words",
  "remedy",
] as const;

export type LogFields = Readonly<
  Partial<Record<(typeof FIELDS)[number], string | number | readonly string[]>>
>;

/** Writes JSON lines. Messages are static; what varies stands in the fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** @param error only its name, its code and where it was thrown are written: its message may quote anything */
  error(message: string, fields?: LogFields, error?: unknown): void;
  /** One line for each decision of a request, at level info. @param request its name */
  decisions(decisions: readonly Decision[], request: string): void;
  /** One line for each pin of a request, at level info. */
  pins(pins: readonly Pin[], request: string): void;
  /** Lines that were dropped because nobody read them. */
  dropped(): number;
  /** Writes what is left, no longer than a second, and nothing afterwards. */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Standard output unless given. */
  readonly destination?: Destination;
}

const STANDARD_OUTPUT = 1;
/** Bytes of lines that wait to be written: some ten thousand decisions. Beyond them lines are dropped and counted. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** Decisions wait for others until there are so many characters, or so many milliseconds have passed. */
const BATCH_LENGTH = 64 * 1024;
const BATCH_MS = 50;
/** Milliseconds that the last lines may take. */
const LAST_LINES_MS = 1_000;

export function createLog({ level, destination }: LogOptions): Log {
  let dropped = 0;
  let isClosed = false;
  const output =
    destination ??
    createOutput((lines) => {
      dropped += lines;
    });
  const write = (lines: string, isUrgent: boolean): void => {
    if (!isClosed) output.write(lines, isUrgent);
  };

  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(line, true) },
  );
  const showsDecisions = logger.isLevelEnabled("info");

  return {
    debug: (message, fields) => {
      logger.debug(allowed(fields), message);
    },
    info: (message, fields) => {
      logger.info(allowed(fields), message);
    },
    warn: (message, fields) => {
      logger.warn(allowed(fields), message);
    },
    error: (message, fields, error) => {
      logger.error({ ...allowed(fields), ...(error !== undefined && traits(error)) }, message);
    },
    decisions(decisions, request) {
      if (!showsDecisions || decisions.length === 0) return;
      const start = `{"level":"info","time":"${new Date().toISOString()}","request":"${request}",`;
      let lines = "";
      for (const decision of decisions) lines += `${start}${decisionFields(decision)}}\n`;
      write(lines, false);
    },
    pins(pins, request) {
      if (!showsDecisions || pins.length === 0) return;
      const start = `{"level":"info","time":"${new Date().toISOString()}","request":"${request}",`;
      let lines = "";
      for (const pin of pins) lines += `${start}${pinFields(pin)}}\n`;
      write(lines, false);
    },
    dropped: () => dropped,
    async close() {
      isClosed = true;
      await output.end?.();
    },
  };
}

/** Standard output, never waited for. @param onDrop is told how many lines were dropped */
function createOutput(onDrop: (lines: number) => void): Destination {
  const output = pino.destination({
    fd: STANDARD_OUTPUT,
    sync: false,
    maxLength: BUFFER_BYTES,
    // With none, `flush` says that all is written when nothing is.
    minLength: 1,
  });
  output.on("drop", (lines: string) => {
    onDrop(lines.split("\n").length - 1);
  });
  // A reader that went away is no reason to stop judging.
  output.on("error", () => {
    onDrop(1);
  });

  // A write costs as much as the answer that it tells of, so decisions go out together.
  let batch = "";
  let timer: NodeJS.Timeout | undefined;
  const send = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batch !== "") output.write(batch);
    batch = "";
  };
  // A write that is only begun as the process ends may be cancelled: the last lines go out before it does.
  const sendAtExit = (): void => {
    output.flushSync();
    try {
      if (batch !== "") writeSync(STANDARD_OUTPUT, batch);
    } catch {
      // Nobody reads, and there is nobody left to tell.
    }
  };
  process.once("exit", sendAtExit);

  return {
    write(lines, isUrgent) {
      batch += lines;
      if (isUrgent || batch.length > BATCH_LENGTH) send();
      else timer ??= setTimeout(send, BATCH_MS).unref();
    },
    async end() {
      process.off("exit", sendAtExit);
      send();
      await new Promise<void>((resolve) => {
        const giveUp = setTimeout(resolve, LAST_LINES_MS);
        output.flush(() => {
          clearTimeout(giveUp);
          resolve();
        });
      });
      // Otherwise the end of the process would write what is left, and wait for a reader for ever.
      output.destroy();
    },
  };
}

/** The fields of the list, and nothing else that an object may have. */
function allowed(fields: LogFields = {}): LogFields {
  const kept: Record<string, unknown> = {};
  for (const field of FIELDS) if (fields[field] !== undefined) kept[field] = fields[field];
  return kept;
}

/** What may be written of an error. Of its stack only the places: its first lines are its message. */
function traits(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error };
  const places = (error.stack ?? "")
    .slice(error.name.length + error.message.length)
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .map((line) => line.trim());
  const code = errorCode(error);
  return { error: error.name, ...(code !== undefined && { code }), places };
}

/** Written by hand, because a line is made for every key of every request. */
function decisionFields(decision: Decision): string {
  const { key, verdict, digest, policy, epoch, level, registry, cache, durationMs } = decision;
  let text = `"msg":"decision","key":${quoteKey(key)},"outcome":"${verdict.kind}"`;
  if (verdict.kind === "rejected" || verdict.kind === "undecided") {
    text += `,"reason":"${verdict.reason}","sentence":${quote(verdict.sentence)}`;
  }
  if (digest !== undefined) text += `,"digest":"${digest}"`;
  // What an image was admitted by can be told afterwards, and judged again, from what stands here.
  const signature = verdict.kind === "verified" ? verdict.facts.signature : undefined;
  if (signature !== undefined) text += `,"signature":"${signature}"`;
  if (policy !== undefined) text += `,"policy":${quote(policy)}`;
  if (epoch !== undefined) text += `,"epoch":${quote(epoch)}`;
  if (level !== undefined) text += `,"askedLevel":"${level}"`;
  if (registry !== undefined) text += `,"registry":${quote(registry)}`;
  return `${text},"cache":"${cache}","durationMs":${milliseconds(durationMs)}`;
}

function pinFields({ key, result, durationMs }: Pin): string {
  let text = `"msg":"pin","key":${quoteKey(key)},"outcome":"${result.kind}"`;
  if (result.kind === "pinned") text += `,"image":${quoteKey(result.image)}`;
  else text += `,"reason":"${result.reason}","sentence":${quote(result.sentence)}`;
  return `${text},"durationMs":${milliseconds(durationMs)}`;
}

/** Microseconds are enough. A number that JSON has no word for is nothing. */
const milliseconds = (ms: number): string =>
  Number.isFinite(ms) ? String(Math.round(ms * 1000) / 1000) : "null";
