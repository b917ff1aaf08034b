import type { SignerAnswer } from "./answer.ts";
import { planOf, respond } from "./decide.ts";
import { isPluginError, outputOf, type PluginError, type PluginOutput } from "./plugin.ts";
import type { SignerQuestion } from "./question.ts";
import { readRequest, type VerifyRequest } from "./request.ts";

export interface VerifySignatureOptions {
  /** Asks AWS Signer; called at most once, and only for a signer that is trusted. Never rejects. */
  readonly ask: (question: SignerQuestion, request: VerifyRequest) => Promise<SignerAnswer>;
  /** Whether the signature is one that may be asked about here. */
  readonly accepts?: (question: SignerQuestion) => boolean;
}

const FOREIGN: PluginError = {
  errorCode: "VALIDATION_ERROR",
  errorMessage: "the signature is another than the one that Notation was started for",
};

/**
 * The command `verify-signature`, from standard input to what is printed.
 * @see Notary Project plugin specification, "verify-signature"
 */
export async function verifySignature(
  input: Uint8Array,
  { ask, accepts = () => true }: VerifySignatureOptions,
): Promise<PluginOutput> {
  const request = readRequest(input);
  if (isPluginError(request)) return outputOf(request);
  const plan = planOf(request);
  if (isPluginError(plan)) return outputOf(plan);
  if (!accepts(plan.question)) return outputOf(FOREIGN);
  return outputOf(respond(plan, plan.isAsked ? await ask(plan.question, request) : undefined));
}
