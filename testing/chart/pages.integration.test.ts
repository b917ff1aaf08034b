// Values of the chart as the pages have them, rendered as they stand: what somebody copies has to be taken by both versions of
// Helm, and by Kubernetes.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { createProviderAuthority } from "../gatekeeper/certificates.ts";
import { ROOT } from "../provider/start.ts";
import { CHART, copyChart, createHelm, find, HELMS, KNOWN_KIND, parseDocuments } from "./helm.ts";
import { validate } from "./kubeconform.ts";
import { kubernetesVersions } from "./schemas.ts";

type Values = Readonly<Record<string, unknown>>;

const AUTHORITY = await createProviderAuthority();

/** What the pages leave to the reader. */
const filled = (text: string): string =>
  text
    .replaceAll(
      /^( *)-----BEGIN CERTIFICATE-----\n *…\n *-----END CERTIFICATE-----$/gm,
      (_, indent) => AUTHORITY.ca.trim().replaceAll(/^/gm, indent),
    )
    .replaceAll("sha256:…", `sha256:${"a".repeat(64)}`);

/** Documents of the blocks of YAML on a page. */
async function documentsOf(page: string): Promise<readonly Values[]> {
  const text = filled(await readFile(join(ROOT, page), "utf8"));
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
    parseAllDocuments(block).map((document) => document.toJS() as Values),
  );
}

/** The whole values that a page has: those that say who is trusted, in the chart's way. */
const isWhole = ({ trust, config }: Values): boolean =>
  config !== undefined && trust !== undefined && !("directory" in (trust as object));

const [EKS, ...others] = (await documentsOf("README.md")).filter(isWhole);
const PAGES = [
  { name: "README.md, on EKS", values: EKS },
  ...(await documentsOf("docs/install.md"))
    .filter(isWhole)
    .map((values, index) => ({ name: `docs/install.md, block ${index + 1}`, values })),
  ...(await documentsOf("docs/aws.md"))
    .filter(({ serviceAccount }) => serviceAccount !== undefined)
    .map((values, index) => ({
      name: `docs/aws.md, who the provider is, ${index + 1}`,
      values: { ...EKS, ...values },
    })),
];

suite("values on the pages", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pages-"));
    await copyChart(join(folder, "chart"), AUTHORITY.ca);
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  test("are found: one way on README.md, two of docs/install.md, two of docs/aws.md", () => {
    assert.deepEqual(others, []);
    assert.equal(PAGES.length, 5);
  });

  for (const { name, values = {} } of PAGES) {
    for (const helmName of HELMS) {
      test(`${name}: ${helmName} renders what every Kubernetes takes`, async () => {
        await using helm = await createHelm(helmName, { chart: join(folder, "chart") });
        const text = await helm.render([await helm.values(values)], KNOWN_KIND);
        for (const version of kubernetesVersions()) {
          const { problems, looked } = await validate(version, text, folder);
          assert.deepEqual(problems, []);
          assert.equal(looked, parseDocuments(text).length);
        }
      });
    }
  }

  test("README.md, on EKS: the role, the accounts, the regions and the profile come to where they belong", async () => {
    await using helm = await createHelm("helm", { chart: join(folder, "chart") });
    const objects = parseDocuments(await helm.render([await helm.values(EKS ?? {})]));
    const account = find(objects, "ServiceAccount");
    assert.deepEqual(account.metadata["annotations"], {
      "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/notation-provider",
    });
    const dataOf = (object: string) =>
      find(objects, "ConfigMap", object)["data"] as Readonly<Record<string, string>>;
    const [configuration = ""] = Object.values(dataOf("notation-provider"));
    assert.match(configuration, /accounts:\n\s+- "111122223333"\n\s+regions:\n\s+- eu-central-1/);
    const policy = dataOf("notation-provider-trust")["policy.default.json"] ?? "";
    assert.match(policy, /"arn:aws:signer:eu-central-1:111122223333:\/signing-profiles\/team_a"/);
  });

  test("the chart itself takes no other root of AWS Signer than AWS's", async () => {
    await using helm = await createHelm("helm", { chart: CHART });
    await assert.rejects(helm.render([await helm.values(EKS ?? {})]), /not one of AWS Signer's/);
  });
});
