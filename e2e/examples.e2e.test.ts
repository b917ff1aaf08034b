// The examples under constraints/ as they are shipped: their constraints, trust policies and parts of the provider's configuration. Only the
// roots are others, and where hosts answer.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, suite, test, type TestContext } from "node:test";
import { parse } from "yaml";
import { startEcrRegistry } from "../testing/aws/ecr-registry.ts";
import { createEcrDouble } from "../testing/aws/ecr.ts";
import { createSigningAuthority, jobArn, profileVersionArn } from "../testing/aws/envelopes.ts";
import { createSigner } from "../testing/aws/signer.ts";
import { variablesOf, type Keys } from "../testing/aws/keys.ts";
import { startAws } from "../testing/aws/wire.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { parseDocuments } from "../testing/cluster/modules.ts";
import type { ProviderSettings } from "../testing/cluster/provider.ts";
import { ROOT } from "../testing/provider/start.ts";
import { silent, status } from "../testing/registry/answers.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { JWS, jws, type SignedSubject } from "../testing/signing/envelope.ts";
import { statement, writeTrust, type TrustStatement } from "../testing/signing/trust.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, assertRefused, enforce, messageOf, open, startE2e } from "./setting.ts";

const ACCOUNT = "111122223333";

type Sections = NonNullable<ProviderSettings["overrides"]>;

/** What an example is run with. */
interface Running {
  /** `<type>:<name>` to its root, DER. */
  readonly stores: Readonly<Record<string, Buffer>>;
  readonly registries: ProviderSettings["registries"];
  /** Merged over the example's part of the configuration. */
  readonly overrides?: Sections;
  readonly keys?: Keys;
}

suite("examples", () => {
  const servers = new AsyncDisposableStack();
  let cluster: Cluster;
  before(async () => {
    // The same name means another example's image.
    cluster = servers.use(await startE2e({ gatekeeper: { responseCacheTtl: "0s" } }));
  });
  after(async () => await servers.disposeAsync());

  /** Restarts the provider as an example has it, and applies its constraints. @returns a namespace */
  async function run(t: TestContext, name: string, running: Running): Promise<string> {
    const example = join(ROOT, "constraints/examples", name);
    const policies: Record<string, readonly TrustStatement[]> = {};
    for (const file of globSync(join(example, "trustpolicies/*.json"))) {
      const { trustPolicies } = JSON.parse(await readFile(file, "utf8")) as {
        readonly trustPolicies: readonly TrustStatement[];
      };
      policies[basename(file, ".json")] = trustPolicies;
    }
    const [store = ""] = Object.keys(running.stores);
    const trust = join(cluster.directory, `trust-${name}`);
    const roots = Object.entries(running.stores).map(([key, root]) => [key, [root]] as const);
    const identity = policies[name]?.[0]?.trustedIdentities;
    writeTrust(trust, {
      statements: [
        statement({ trustStores: [store], ...(identity && { trustedIdentities: identity }) }),
      ],
      stores: Object.fromEntries(roots),
      policies,
    });
    const { registries: _, ...sections } = parse(
      await readFile(join(example, "provider.yaml"), "utf8"),
    ) as Sections;
    const { registries, overrides = {}, keys } = running;
    const merged: Record<string, Sections[string]> = { ...sections };
    for (const [section, members] of Object.entries(overrides)) {
      merged[section] = { ...merged[section], ...members };
    }
    merged["trust"] = { ...merged["trust"], directory: trust };
    await cluster.provider.restart({
      registries,
      overrides: merged,
      ...(keys !== undefined && {
        environment: {
          ...variablesOf(keys),
        },
      }),
    });
    // A policy weaker than strict is meant so, and nothing else is worth a word.
    const words = cluster.provider.process().log.filter((line) => !/"level":"info"/.test(line));
    assert.deepEqual(words, []);

    const namespace = await open(cluster);
    const { stdout } = await cluster.kubectl("kustomize", example);
    for (const constraint of parseDocuments(stdout)) {
      await enforce(cluster, constraint);
      t.after(async () => await cluster.api.remove(constraint));
    }
    return namespace;
  }

  /** Pushes an image with what signs it. @returns its name under a host, by digest */
  async function push(
    host: string,
    repository: string,
    sign: (subject: SignedSubject) => Uint8Array | string,
  ): Promise<string> {
    const place = { registry: cluster.registry, repository };
    const subject = await pushImage({ ...place, tag: "v1", content: `${host}/${repository}` });
    await attachSignature({ ...place, subject, mediaType: JWS, envelope: sign(subject) });
    return `${host}/${repository}@${subject.digest}`;
  }
  const tryPod = async (namespace: string, image: string) =>
    await cluster.api.create(pod({ namespace, image }), { dryRun: true });

  /** A registry of Amazon ECR in front of the cluster's, and its entry in the configuration. */
  async function ecrIn(region: string, ecr: ReturnType<typeof createEcrDouble>) {
    const host = `${ACCOUNT}.dkr.ecr.${region}.amazonaws.com`;
    const registry = await startEcrRegistry({ ecr, upstream: cluster.registry, region, host });
    servers.use(registry);
    return { host, entry: registry.entry };
  }

  for (const { what, lists, first } of [
    { what: "refuses what may not leave", lists: status(404), first: "admitted" },
    // The first review cannot wait for so long; the verification goes on, and a later one finds its result.
    { what: "swallows what may not leave", lists: silent(), first: "TIMEOUT" },
  ]) {
    test(`air-gapped: in a network that ${what}`, async (t) => {
      const host = "registry.internal.example";
      const server = servers.use(await startUnruly());
      server.on(/./, lists);
      const authority = await createAuthority({ name: "Example root" });
      const crlUrl = `${server.url}/list.crl`;
      const signer = await authority.issue({ commonName: "app", crlUrl });
      const stranger = await authority.issue({ commonName: "app", organization: "Other", crlUrl });
      const { url: endpoint } = cluster.registry;
      const [{ ca, allowedAddresses } = {}] = cluster.settings.registries;
      const namespace = await run(t, "air-gapped", {
        stores: { "ca:internal": authority.root },
        registries: [{ host, endpoint, ca, allowedAddresses }],
      });
      const mirrored = await push(host, "mirror/app", (subject) => jws({ signer, subject }));
      assertAdmitted(await tryPod(namespace, mirrored));
      assert.equal(server.requests.length, 0, "nobody was asked");

      const image = await push(host, "team/app", (subject) => jws({ signer, subject }));
      const answer = await tryPod(namespace, image);
      if (first === "admitted") assertAdmitted(answer);
      else assertRefused(answer, image, first);
      await cluster.wait("the image to be admitted", async () => {
        const { status: code } = await tryPod(namespace, image);
        return code === 201 ? true : undefined;
      });
      assert.ok(server.requests.length > 0);

      const foreign = await push(host, "mirror/other", (subject) =>
        jws({ signer: stranger, subject }),
      );
      assertRefused(await tryPod(namespace, foreign), foreign, "WRONG_IDENTITY");
    });
  }

  test("two-regions: an image that was signed in one region runs in another, and what is revoked there is refused here", async (t) => {
    const [signer, ecr] = [createSigner(), createEcrDouble()];
    const aws = servers.use(await startAws({ services: [signer.service, ecr.service] }));
    const authority = await createSigningAuthority();
    const { host, entry } = await ecrIn("eu-west-1", ecr);
    const namespace = await run(t, "two-regions", {
      stores: { "signingAuthority:aws-signer-ts": authority.root },
      registries: [entry],
      overrides: {
        aws: {
          endpoints: [
            { service: "ecr", region: "eu-west-1", url: await aws.regionalUrl("eu-west-1") },
            { service: "signer", region: "us-east-1", url: await aws.regionalUrl("us-east-1") },
          ],
        },
      },
      keys: aws.credentials,
    });
    const profileVersion = profileVersionArn({ name: "prod" });
    const image = await push(
      host,
      "team/app",
      (subject) => authority.sign({ subject, profileVersion }).bytes,
    );
    assertAdmitted(await tryPod(namespace, image));
    assert.deepEqual(
      new Set(aws.requests.map(({ operation, region }) => `${operation} ${region}`)),
      new Set(["GetAuthorizationToken eu-west-1", "GetRevocationStatus us-east-1"]),
    );
    const job = jobArn();
    const revoked = await push(
      host,
      "team/revoked",
      (subject) => authority.sign({ subject, profileVersion, job }).bytes,
    );
    signer.revokeJob(job);
    assert.match(messageOf(await tryPod(namespace, revoked)), /: REVOKED: /);
    const elsewhere = await push(
      host,
      "team/elsewhere",
      (subject) =>
        authority.sign({
          subject,
          profileVersion: profileVersionArn({ name: "prod", region: "eu-west-1" }),
        }).bytes,
    );
    assertRefused(await tryPod(namespace, elsewhere), elsewhere, "WRONG_IDENTITY");
  });

  test("two-partitions: one repository may be signed under either root, the others under their own alone", async (t) => {
    const gov = { partition: "aws-us-gov", region: "us-gov-west-1", name: "prod" };
    const vendor = { account: "444455556666", name: "agent" };
    const [signer, ecr] = [createSigner(gov), createEcrDouble()];
    const aws = servers.use(
      await startAws({ services: [signer.service, ecr.service], partition: gov.partition }),
    );
    // Another partition knows nobody of this one.
    const commercial = servers.use(await startAws({ services: [createSigner().service] }));
    const [own, other] = [await createSigningAuthority(), await createSigningAuthority()];
    const { host, entry } = await ecrIn(gov.region, ecr);
    const namespace = await run(t, "two-partitions", {
      stores: {
        "signingAuthority:aws-us-gov-signer-ts": own.root,
        "signingAuthority:aws-signer-ts": other.root,
      },
      registries: [entry],
      overrides: {
        aws: {
          endpoints: [
            { service: "ecr", url: aws.url },
            { service: "signer", region: gov.region, url: aws.url },
            { service: "signer", region: "us-east-1", url: commercial.url },
          ],
        },
      },
      keys: aws.credentials,
    });
    const byUs = (subject: SignedSubject, job = jobArn(gov)) =>
      own.sign({ subject, profileVersion: profileVersionArn(gov), job }).bytes;
    const byVendor = (subject: SignedSubject) =>
      other.sign({ subject, profileVersion: profileVersionArn(vendor), job: jobArn(vendor) }).bytes;

    assertAdmitted(await tryPod(namespace, await push(host, "team/app", byUs)));
    assertAdmitted(await tryPod(namespace, await push(host, "vendor/agent", byVendor)));
    assert.equal(commercial.count("GetRevocationStatus") > 0, true);
    const outside = await push(host, "team/agent", byVendor);
    assertRefused(await tryPod(namespace, outside), outside, "UNTRUSTED_SIGNER");
    const job = jobArn(gov);
    const revoked = await push(host, "team/revoked", (subject) => byUs(subject, job));
    signer.revokeJob(job);
    assert.match(messageOf(await tryPod(namespace, revoked)), /: REVOKED: /);
  });
});
