import type { AwsFailure } from "./failure.ts";

/** Credentials of AWS, as its SDK has them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What somebody gets who asks for credentials in the SDK's way and there are none. */
export class AwsCredentialsError extends Error {
  readonly failure: AwsFailure;
  constructor(failure: AwsFailure) {
    super(failure.sentence);
    // As the SDK's own providers call it.
    this.name = "CredentialsProviderError";
    this.failure = failure;
  }
}
