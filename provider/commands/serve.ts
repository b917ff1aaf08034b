import { readEnvironment } from "../config/environment.ts";
import { loadConfig } from "../config/load.ts";
import type { Ages } from "../lib/clock.ts";
import { serve, type Service } from "../serve.ts";
import { createLog } from "../telemetry/log.ts";
import { packageVersion } from "./package-version.ts";
import { printProblems } from "./problems.ts";

/** Milliseconds beyond the drain's own times after which the process ends whatever is left. */
const LAST_RESORT_MS = 5000;

/**
 * Serves until SIGTERM or SIGINT, then drains and ends with 0; a second signal ends at once. A signal before it serves
 * lets the start end first, unless that waits for certificates.
 * @param ages see {@link serve}
 * @returns the exit code: 0 after a drain, 1 when it could not start or something failed that never should
 */
export async function serveCommand(file: string, ages?: Ages): Promise<number> {
  const environment = readEnvironment();
  const loaded = loadConfig(file);
  if (environment.length > 0 || "problems" in loaded) {
    printProblems([...environment, ...("problems" in loaded ? loaded.problems : [])]);
    return 1;
  }
  const { config } = loaded;
  const log = createLog({ level: config.log.level });
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  /** Ends in order, or without it when that takes too long. */
  const endAfter = (work: Promise<void>, code: number, ms: number): void => {
    setTimeout(() => end(1), ms).unref();
    work.then(
      () => end(code),
      (error: unknown) => {
        log.error("the end was not in order", {}, error);
        end(1);
      },
    );
  };

  log.info("starting", { version: packageVersion(), node: process.version });
  const stopping = new AbortController();
  const starting = serve(config, log, { ages, stopping: stopping.signal });
  let faults = 0;
  const fail = (error: unknown): void => {
    log.error("the process failed", {}, error);
    faults += 1;
    // What is under way gets an answer, even if a second fault comes with the first.
    if (faults === 1) endAfter(abortOf(starting), 1, LAST_RESORT_MS);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  let signals = 0;
  const drain = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      end(1);
      return;
    }
    log.info("draining", { signal });
    const { drainDelay, drainTimeout } = config.server;
    stopping.abort();
    const drained = starting.then(
      async ({ stop }) => await stop(),
      (error: unknown) => {
        if (!isStopped(error)) throw error;
      },
    );
    endAfter(drained, 0, drainDelay + drainTimeout + LAST_RESORT_MS);
  };
  process.on("SIGTERM", drain);
  process.on("SIGINT", drain);

  /** A start that a signal ended has not failed. */
  const isStopped = (error: unknown): boolean =>
    stopping.signal.aborted && error === stopping.signal.reason;
  starting.catch((error: unknown) => {
    if (isStopped(error)) return;
    const problem = error instanceof Error ? error.message : String(error);
    log.error("the provider could not start", { problem });
    end(1);
  });

  const code = await ended;
  log.info("ended", { exitCode: code });
  await log.close();
  return code;
}

/** Ends what there is; a start that fails has ended it itself. */
async function abortOf(starting: Promise<Service>): Promise<void> {
  const service = await starting.catch(() => undefined);
  await service?.abort();
}
