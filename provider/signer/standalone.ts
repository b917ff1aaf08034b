import type { Schedule } from "../lib/deadline.ts";
import { now } from "../lib/clock.ts";
import { createAsk } from "./ask.ts";
import { createSignerClients, type SignerClientOptions } from "./client.ts";
import {
  MAX_REQUEST_BYTES,
  METADATA,
  outputOf,
  type PluginError,
  type PluginOutput,
} from "./plugin.ts";
import type { VerifyRequest } from "./request.ts";
import { verifySignature } from "./verify-signature.ts";

/** Milliseconds that AWS Signer may take to answer a plugin that nobody else ends. */
const TIMEOUT_MS = 5000;

/**
 * The plugin as a program of its own, for a plain Notation. It takes the credentials of the SDK's own chain, and from
 * `--plugin-config` what AWS's plugin takes: `aws-region`, `aws-profile`, `aws-signer-endpoint-url`; nothing is put before the
 * endpoint's host.
 *
 * Notation starts a file `plugins/<name>/notation-<name>`; a script of one line does:
 * `exec notation-provider plugin "$@"`.
 * @param command `get-plugin-metadata` or `verify-signature`
 * @param input standard input, read up to the bound of a request
 */
export async function runPlugin(
  command: string,
  input: AsyncIterable<Uint8Array>,
): Promise<PluginOutput> {
  switch (command) {
    case "get-plugin-metadata":
      return outputOf(METADATA);
    case "verify-signature":
      return verifySignature(await readAll(input), {
        ask: async (question, request) => {
          using clients = createSignerClients(clientOptionsOf(request));
          const signer = createAsk({
            call: clients.call,
            timeoutMs: TIMEOUT_MS,
            deadlineMs: 2 * TIMEOUT_MS,
            freshMs: 0,
            concurrency: 1,
            maxWaiting: 0,
            now,
            schedule: heldTime,
            random: Math.random,
          });
          return (await signer.ask(question, new AbortController().signal)).answer;
        },
      });
    default:
      return outputOf(UNKNOWN_COMMAND);
  }
}

/** Timers that keep the process alive: while it pauses between two attempts there is nothing else that does. */
const heldTime: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms);
  return { cancel: () => clearTimeout(timer) };
};

const UNKNOWN_COMMAND: PluginError = {
  errorCode: "VALIDATION_ERROR",
  errorMessage: "the plugin only verifies signatures",
};

function clientOptionsOf({ pluginConfig }: VerifyRequest): SignerClientOptions {
  const handed = new Map(Object.entries(pluginConfig ?? {}));
  const region = handed.get("aws-region");
  const profile = handed.get("aws-profile");
  const endpoint = handed.get("aws-signer-endpoint-url");
  return {
    connectMs: TIMEOUT_MS,
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint: () => endpoint }),
  };
}

/** What is beyond the bound is not read; the request is then refused for its size. */
async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_REQUEST_BYTES) break;
  }
  return Buffer.concat(chunks);
}
