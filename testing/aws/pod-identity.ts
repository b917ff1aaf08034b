/**
 * The agent of EKS Pod Identity on loopback: `GET /v1/credentials` with the content of the Pod's token file.
 *
 *   const agent = createPodIdentity({ token: "token-of-the-Pod" });
 *   await using aws = await startAws({ services: [agent.service] });
 *   environment.containerCredentialsUri = `${aws.url}/v1/credentials`;
 *   aws.on("GetCredentials", internal(), pass());
 */
import { restJson } from "./protocol.ts";
import { refusal, type Service } from "./service.ts";

/** What can be changed while it runs. */
export interface PodIdentityState {
  /** What the Pod has to show. Default `pod-identity-token`. */
  token: string;
  /** Role of the association; undefined is none. Default `provider`. */
  role: string | undefined;
  /** Milliseconds that credentials last. Default six hours. */
  lifeMs: number;
}

export interface PodIdentity {
  readonly service: Service;
  readonly state: PodIdentityState;
}

export function createPodIdentity(options: Partial<PodIdentityState> = {}): PodIdentity {
  const state: PodIdentityState = {
    token: "pod-identity-token",
    role: "provider",
    lifeMs: 6 * 3_600_000,
    ...options,
  };
  return {
    service: {
      name: "eks-auth",
      protocol: restJson([
        { method: "GET", path: /^\/v1\/credentials$/, operation: "GetCredentials" },
      ]),
      operations: new Map([
        [
          "GetCredentials",
          {
            isUnsigned: true,
            answer: ({ headers }, aws) => {
              if (headers.authorization !== state.token) {
                return refusal(400, "InvalidTokenException", "Service account token is invalid");
              }
              if (state.role === undefined) {
                return refusal(
                  404,
                  "ResourceNotFoundException",
                  "No association found for the Pod",
                );
              }
              const keys = aws.issue({ role: state.role, session: "pod", lifeMs: state.lifeMs });
              return {
                AccessKeyId: keys.accessKeyId,
                SecretAccessKey: keys.secretAccessKey,
                Token: keys.sessionToken,
                AccountId: "111122223333",
                Expiration: keys.expiration.toISOString().replace(".000Z", "Z"),
              };
            },
          },
        ],
      ]),
    },
    state,
  };
}
