// The service with images that AWS Signer signed: real Notation, the built-in plugin behind its launcher, AWS on loopback.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test, type TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { installAmazonPlugin } from "../testing/aws/amazon-plugin.ts";
import {
  createSigningAuthority,
  profileVersionArn,
  pushSigned,
  signerTrust,
  type SignedEnvelope,
} from "../testing/aws/envelopes.ts";
import { startProxy } from "../testing/aws/proxy.ts";
import { createSigner, type Signer } from "../testing/aws/signer.ts";
import { variablesOf } from "../testing/aws/keys.ts";
import { startAws, type Aws } from "../testing/aws/wire.ts";
import { startProvider, type RunningProvider } from "../testing/provider/start.ts";
import { startOlareg, type Olareg } from "../testing/registry/olareg.ts";
import { writeTrust } from "../testing/signing/trust.ts";

interface Item {
  readonly error?: string;
  readonly value?: { readonly signer: { readonly identity: string; readonly job: string } };
}

/** What the configuration says of AWS Signer. */
interface Settings {
  readonly endpoint: string;
  readonly plugin?: string;
}

const ask = async (
  provider: RunningProvider,
  key: string,
): Promise<Item & { readonly systemError?: string }> => {
  const { items, systemError } = (await provider.caller().ask([key])).response.response;
  return { ...(items[0] as Item | undefined), ...(systemError && { systemError }) };
};

const PRINCIPAL = "arn:aws:iam::111122223333:user/provider";

suite("the service with AWS Signer", () => {
  let registry: Olareg;
  let directory: string;
  let signer: Signer;
  let aws: Aws;
  const authority = createSigningAuthority();
  let images = 0;

  before(async () => {
    registry = await startOlareg();
    directory = await mkdtemp(join(tmpdir(), "aws-service-"));
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (
    t: TestContext,
    settingsFor: () => Promise<Settings> = async () => ({ endpoint: aws.url }),
  ): Promise<RunningProvider> => {
    signer = createSigner();
    aws = await startAws({ services: [signer.service] });
    t.after(() => aws[Symbol.asyncDispose]());
    const { endpoint, ...plugin } = await settingsFor();
    const trust = await mkdtemp(join(directory, "trust-"));
    writeTrust(trust, signerTrust(await authority));
    const provider = await startProvider({
      trust,
      registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
      overrides: {
        // A plugin that is a Node program takes its time on a busy machine.
        server: { drainDelay: "0ms", deadline: "25s" },
        verification: { deadline: "30s" },
        // For the region of the signatures alone.
        aws: { endpoints: [{ service: "signer", region: "us-east-1", url: endpoint }] },
        signer: {
          timeout: "10s",
          launcher: new URL("../tools/bin/signer-launcher", import.meta.url).pathname,
          revocationInterval: "1s",
          ...plugin,
        },
      },
      environment: {
        ...variablesOf(aws.credentials),
        AWS_EC2_METADATA_DISABLED: "true",
      },
    });
    t.after(async () => await provider[Symbol.asyncDispose]());
    return provider;
  };

  const push = async (): Promise<{ readonly key: string; readonly signed: SignedEnvelope }> => {
    const repository = `aws/app-${(images += 1)}`;
    const { subject, signed } = await pushSigned(await authority, { registry, repository });
    return { key: `${registry.host}/${repository}@${subject.digest}`, signed };
  };
  test("an image that AWS Signer signed is verified, and the facts name profile and job", async (t) => {
    const provider = await start(t);
    const { key, signed } = await push();
    const { value } = await ask(provider, key);
    assert.deepEqual(
      { identity: value?.signer.identity, job: value?.signer.job },
      { identity: profileVersionArn(), job: signed.job },
    );
    assert.equal(aws.count("GetRevocationStatus"), 1);
  });

  test("T-13 a job that is revoked ends the cached verdict within the interval, and the reason names it", async (t) => {
    const provider = await start(t);
    const [{ key, signed }, other] = [await push(), await push()];
    assert.ok((await ask(provider, key)).value);
    assert.ok((await ask(provider, other.key)).value);
    signer.revokeJob(signed.job);
    // The cached verdict would live for five minutes.
    let answer = await ask(provider, key);
    while (answer.error === undefined) {
      await wait(20);
      answer = await ask(provider, key);
    }
    assert.match(answer.error, /^REVOKED: /);
    assert.ok(answer.error.includes(signed.job), answer.error);
    assert.ok((await ask(provider, other.key)).value, "what was not revoked stays");
  });

  test("F-13 an AWS Signer that may not be asked leaves an image undecided, and no credential is said", async (t) => {
    const provider = await start(t);
    aws.deny("signer:GetRevocationStatus");
    const { key } = await push();
    const { systemError = "" } = await ask(provider, key);
    assert.ok(systemError.startsWith(`${key}: SIGNER_DENIED: `), systemError);
    const line = provider.log.find((text) => text.includes("AWS cannot be asked"));
    assert.match(line ?? "", /"remedy":"allow signer:GetRevocationStatus on \*/);
    const read = async (path: string): Promise<string> =>
      await (await fetch(`${provider.admin}${path}`)).text();
    const [ready, metrics] = [await read("/readyz?verbose"), await read("/metrics")];
    assert.match(ready, /\[\+\]aws\/signer\/revocation\/us-east-1 ok: failing: /);
    assert.match(ready, /\[\+\]aws\/credentials ok: environment, does not end/);
    assert.match(
      metrics,
      /^notation_provider_aws_requests_total\{service="signer",operation="revocation",region="other",outcome="denied"\} 1$/m,
    );
    const all = [systemError, ready, metrics, ...provider.log].join("\n");
    assert.equal(all.includes(aws.credentials.secretAccessKey), false);
  });

  /** AWS's own plugin puts something before the host of its endpoint, so a script before it leads it to the double. */
  const amazonPlugin = async (t: TestContext) => {
    const proxy = await startProxy(aws.url);
    t.after(() => proxy[Symbol.asyncDispose]());
    const home = await mkdtemp(join(directory, "plugin-"));
    const plugin = installAmazonPlugin(home, { HTTP_PROXY: proxy.url });
    // The provider itself asks again at the address as it is.
    const endpoint = aws.url.replace("127.0.0.1", "localhost");
    return { proxy, settings: { endpoint, plugin } };
  };

  test("a plugin that is a program of its own verifies in the region of the signature, with the provider's credentials", async (t) => {
    const hosts: (readonly string[])[] = [];
    const provider = await start(t, async () => {
      const { proxy, settings } = await amazonPlugin(t);
      hosts.push(proxy.hosts);
      return settings;
    });
    const { key, signed } = await push();
    assert.equal((await ask(provider, key)).value?.signer.job, signed.job);
    const [first] = aws.requests;
    assert.deepEqual([first?.region, first?.principal], ["us-east-1", PRINCIPAL]);
    assert.deepEqual(hosts, [[`verification.localhost:${new URL(aws.url).port}`]]);
    assert.equal(JSON.stringify(provider.log).includes(aws.credentials.secretAccessKey), false);
  });

  test("F-13 a plugin that is a program of its own says why AWS Signer cannot be asked, and that a job is revoked", async (t) => {
    const provider = await start(t, async () => (await amazonPlugin(t)).settings);
    const { key, signed } = await push();
    aws.deny("signer:GetRevocationStatus");
    const { systemError = "" } = await ask(provider, key);
    assert.ok(systemError.startsWith(`${key}: SIGNER_DENIED: `), systemError);
    aws.allow("signer:GetRevocationStatus");
    signer.revokeJob(signed.job);
    assert.match((await ask(provider, key)).error ?? "", /^REVOKED: /);
  });
});
