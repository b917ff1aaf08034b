import { internal, throttled, type AwsAnswer } from "../testing/aws/answers.ts";
import { reset, status, type Answer } from "../testing/registry/answers.ts";

/** Every twentieth is a fault, one kind after the other. */
function everyTwentieth<T>(faults: readonly T[]): () => T | undefined {
  let count = 0;
  return () => {
    count += 1;
    return count % 20 === 0 ? faults[(count / 20) % faults.length] : undefined;
  };
}

/** 5 % of what a registry, and AWS Signer, answer in the benches. */
export const registryFaults = (): (() => Answer | undefined) =>
  everyTwentieth([status(503), reset(), status(429, { "retry-after": "0" }), status(500)]);
export const signerFaults = (): (() => AwsAnswer | undefined) =>
  everyTwentieth<AwsAnswer>([throttled(), internal(), reset()]);
