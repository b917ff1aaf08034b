import { request } from "node:http";
import { z } from "zod";
import { errorCode } from "../lib/error-code.ts";
import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { withoutSecrets, type AwsFailure } from "./failure.ts";
import type { AwsCredentials } from "./keys.ts";
import type { Lent } from "./renewed.ts";

const MAX_ANSWER_BYTES = 65_536;

/** @see Amazon EKS User Guide, "EKS Pod Identity" */
const Answer = z.object({
  AccessKeyId: z.string().min(1),
  SecretAccessKey: z.string().min(1),
  Token: z.string().min(1),
  Expiration: z.iso.datetime({ offset: true }),
});

/** Where an agent may be: on the node, or on this machine in tests. A variable must not send the Pod's token elsewhere. */
const AGENT_HOSTS: ReadonlySet<string> = new Set([
  "169.254.170.23",
  "[fd00:ec2::23]",
  "169.254.170.2",
  "127.0.0.1",
  "[::1]",
  "localhost",
]);

/**
 * Asks the agent of EKS Pod Identity. AWS's SDK has a way as well, but a silent agent holds that for ever.
 * @param uri `http://169.254.170.23/v1/credentials`
 * @param authorization content of the Pod's token file
 */
export async function askPodIdentity(
  uri: string,
  authorization: string | undefined,
  deadline: AbortSignal,
): Promise<Lent<AwsCredentials> | AwsFailure> {
  const url = URL.parse(uri);
  if (url?.protocol !== "http:" || !AGENT_HOSTS.has(url.hostname)) {
    return {
      failure: "missing",
      sentence: "AWS_CONTAINER_CREDENTIALS_FULL_URI is not the address of the Pod Identity agent",
    };
  }
  try {
    const { status, body } = await get(url, authorization, deadline);
    return status === 200 ? read(body) : refused(status, body);
  } catch (error) {
    if (deadline.aborted) throw error;
    const code = errorCode(error) ?? "no answer";
    return {
      failure: "unreachable",
      sentence: `the Pod Identity agent of this node cannot be reached (${code}): is the EKS add-on installed, and does the NetworkPolicy let it be asked?`,
    };
  }
}

/** One GET on a connection of its own: no proxy, nothing kept. The signal ends it wherever it is. */
function get(
  url: URL,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: Buffer }>();
  const headers = { accept: "application/json", ...(authorization && { authorization }) };
  const outgoing = request(url, { headers, signal, agent: false }, (incoming) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error("the answer is too large"));
      chunks.push(chunk);
    });
    incoming.on("error", reject);
    incoming.on("end", () =>
      resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }),
    );
  });
  outgoing.on("error", reject);
  outgoing.end();
  return promise;
}

function read(body: Buffer): Lent<AwsCredentials> | AwsFailure {
  const value = parseStrictJson(body);
  const parsed = value instanceof JsonProblem ? undefined : Answer.safeParse(value);
  if (!parsed?.success) {
    const sentence = "the Pod Identity agent gave an answer that cannot be read";
    return { failure: "unreachable", sentence };
  }
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = parsed.data;
  return {
    value: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
    expiresAt: Date.parse(Expiration),
  };
}

function refused(status: number, body: Buffer): AwsFailure {
  const words = withoutSecrets(`${status} ${body.toString("utf8")}`);
  if (status === 429) {
    return {
      failure: "throttled",
      sentence: "the Pod Identity agent asked for fewer requests",
      words,
    };
  }
  if (status >= 500) {
    const sentence = `the Pod Identity agent answered with status ${status}`;
    return { failure: "unreachable", sentence, words };
  }
  const sentence =
    "the Pod Identity agent refused the Pod: create a Pod Identity association for its ServiceAccount, with a role that trusts pods.eks.amazonaws.com";
  return { failure: "denied", sentence, words };
}
