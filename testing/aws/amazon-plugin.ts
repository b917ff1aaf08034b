/**
 * A program that stands for AWS's own Signer plugin, which has to be downloaded: it speaks the plugin contract, asks
 * AWS Signer by itself, and has the manners that were measured of AWS's:
 *
 * - it puts `verification.` before the host of any endpoint, its own or one that is given
 * - region, endpoint, credentials, attempts and proxy come from `--plugin-config` or the environment; without a region it asks nobody
 * - it refuses the identity `*` as an error, and says what failed in the words of AWS's SDK for Go
 *
 * Started by {@link installAmazonPlugin}'s script, never imported by what it tests.
 */
import { Agent } from "node:http";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { SignerAnswer } from "../../provider/signer/answer.ts";
import { METADATA } from "../../provider/signer/plugin.ts";
import { PLATFORM, type SignerQuestion } from "../../provider/signer/question.ts";
import { verifySignature } from "../../provider/signer/verify-signature.ts";

/**
 * Writes the script that starts the plugin.
 * @param environment that the script adds to what it was given
 * @returns its path
 */
export function installAmazonPlugin(
  directory: string,
  environment: Readonly<Record<string, string>> = {},
): string {
  const path = join(directory, "amazon-plugin");
  const variables = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
  const start = `exec env ${variables.join(" ")} '${process.execPath}' '${import.meta.filename}'`;
  // The program finds `env` by itself: whoever starts a plugin need not give it a PATH.
  writeFileSync(path, `#!/bin/sh\nPATH=/usr/bin:/bin\n${start} "$1"\n`);
  chmodSync(path, 0o755);
  return path;
}

interface Outcome {
  readonly code: number;
  readonly text: string;
}

const failure = (errorMessage: string): Outcome => ({
  code: 1,
  text: JSON.stringify({ errorCode: "VALIDATION_ERROR", errorMessage }),
});

async function run(command: string, input: Buffer): Promise<Outcome> {
  if (command === "get-plugin-metadata") {
    const capabilities = ["SIGNATURE_GENERATOR.ENVELOPE", ...METADATA.capabilities];
    return { code: 0, text: JSON.stringify({ ...METADATA, capabilities }) };
  }
  const { trustPolicy } = JSON.parse(input.toString()) as {
    readonly trustPolicy: { readonly trustedIdentities: readonly string[] };
  };
  if (trustPolicy.trustedIdentities.includes("*")) {
    return failure("The AWSSigner plugin does not support wildcard identity in the trust policy.");
  }
  return await verifySignature(input, {
    ask: async (question, { pluginConfig }) => await ask(question, pluginConfig ?? {}),
  });
}

async function ask(
  question: SignerQuestion,
  config: Readonly<Record<string, string>>,
): Promise<SignerAnswer> {
  const { env } = process;
  const region = config["aws-region"] ?? env["AWS_REGION"];
  if (region === undefined) {
    return unknown(
      "failed to resolve service endpoint, endpoint rule error, Invalid Configuration: Missing Region",
    );
  }
  const endpoint = new URL(
    config["aws-signer-endpoint-url"] ??
      env["AWS_ENDPOINT_URL_SIGNER"] ??
      `https://signer.${region}.amazonaws.com`,
  );
  endpoint.host = `verification.${endpoint.host}`;
  const { GetRevocationStatusCommand, SignerClient } = await import("@aws-sdk/client-signer");
  const client = new SignerClient({
    region,
    endpoint: endpoint.href,
    disableHostPrefix: true,
    requestHandler: { httpAgent: new Agent({ proxyEnv: env }) },
  });
  try {
    const { revokedEntities = [] } = await client.send(
      new GetRevocationStatusCommand({
        signatureTimestamp: new Date(question.signatureTimestamp),
        platformId: PLATFORM,
        profileVersionArn: question.profileVersionArn,
        jobArn: question.jobArn,
        certificateHashes: [...question.certificateHashes],
      }),
    );
    return revokedEntities.length === 0
      ? { kind: "notRevoked" }
      : { kind: "revoked", entities: revokedEntities };
  } catch (error) {
    return unknown(wordsOf(error));
  } finally {
    client.destroy();
  }
}

const unknown = (words: string): SignerAnswer => ({
  kind: "unknown",
  reason: "REVOCATION_UNKNOWN",
  sentence: `operation error signer: GetRevocationStatus, ${words}`,
});

/** As AWS's SDK for Go says it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return "deserialization failed";
  const { $metadata: { httpStatusCode = 0 } = {} } = error as {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const what =
    httpStatusCode === 0 || error.name === "TimeoutError"
      ? "request send failed, EOF"
      : `${error.name}: ${error.message}`;
  return `https response error StatusCode: ${httpStatusCode}, RequestID: , ${what}`;
}

if (import.meta.main) {
  const { code, text } = await run(process.argv[2] ?? "", await buffer(process.stdin));
  (code === 0 ? process.stdout : process.stderr).write(text);
  process.exitCode = code;
}
