import { loadConfig, readEnvironment } from "../config/load.ts";
import { serve } from "../serve.ts";
import { createLog } from "../telemetry/log.ts";
import { packageVersion } from "./package-version.ts";
import { printProblems } from "./problems.ts";

/** Milliseconds beyond the drain's own times after which the process ends whatever is left. */
const LAST_RESORT_MS = 5000;

/**
 * Serves until SIGTERM or SIGINT, then drains and ends with 0; a second signal ends at once.
 * @returns the exit code: 0 after a drain, 1 when it could not start or something failed that never should
 */
export async function serveCommand(file: string): Promise<number> {
  const environment = readEnvironment();
  const loaded = loadConfig(file);
  if (environment.length > 0 || "problems" in loaded) {
    printProblems([...environment, ...("problems" in loaded ? loaded.problems : [])]);
    return 1;
  }
  const { config } = loaded;
  const log = createLog({ level: config.log.level });
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const fail = (error: unknown): void => {
    log.error("the process failed", {}, error);
    end(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  let service;
  try {
    service = await serve(config, log);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    log.error("the provider could not start", { problem });
    await log.close();
    return 1;
  }
  const { url, admin, checks, stop } = service;

  let signals = 0;
  const drain = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      end(1);
      return;
    }
    log.info("draining", { signal });
    const { drainDelay, drainTimeout } = config.server;
    setTimeout(() => end(1), drainDelay + drainTimeout + LAST_RESORT_MS).unref();
    stop().then(() => end(0), fail);
  };
  process.on("SIGTERM", drain);
  process.on("SIGINT", drain);

  const version = packageVersion();
  for (const { name, ok, detail } of checks()) {
    if (!ok)
      log.warn("not ready", { reason: name, ...(detail !== undefined && { problem: detail }) });
  }
  const isReady = checks().every(({ ok }) => ok);
  log.info(isReady ? "ready" : "listening, not ready", {
    url,
    admin,
    version,
    node: process.version,
  });

  const code = await ended;
  log.info("ended", { count: code });
  await log.close();
  return code;
}
