// `make demo`: seven images in a real registry, judged by a real provider over the real protocol.
// `--raw` prints the whole ProviderResponse too; `--serve` leaves everything running until Ctrl-C.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { variablesOf } from "../aws/keys.ts";
import type { Answer, Item } from "../gatekeeper/caller.ts";
import { startProvider, type RunningProvider } from "../provider/start.ts";
import { startOlareg } from "../registry/olareg.ts";
import { statement, writeTrust } from "../signing/trust.ts";
import { pushAwsSamples } from "./aws.ts";
import { pushSamples, type Sample } from "./images.ts";
import { createNotationHome } from "./notation.ts";
import { formatTable, type Line } from "./table.ts";

const { values: options } = parseArgs({
  options: { raw: { type: "boolean", default: false }, serve: { type: "boolean", default: false } },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const step = (text: string): void => say(`  ${text}`);

/** What came back for one image, in the columns of the table. */
function lineOf({ image, story }: Sample, { response }: Answer): Line {
  const item: Item | undefined = response.response.items.find(({ key }) => key === image);
  const undecided = (response.response.systemError ?? "")
    .split("\n")
    .find((line) => line.startsWith(`${image}: `));
  if (item?.error !== undefined) return { image, story, outcome: "rejected", reason: item.error };
  const facts = item?.value as { outcome: string; signer: { subject: string } } | undefined;
  if (facts !== undefined) {
    return { image, story, outcome: facts.outcome, reason: `signed by ${facts.signer.subject}` };
  }
  const reason = undecided?.slice(image.length + 2) ?? "no answer";
  return { image, story, outcome: "undecided", reason };
}

/** How to ask by hand while it runs. */
function explain(provider: RunningProvider, samples: readonly Sample[], registry: string): void {
  const { directory, url, admin } = provider;
  const port = new URL(url).port;
  const keys = samples.slice(0, 2).map(({ image }) => image);
  const body = JSON.stringify({
    apiVersion: "externaldata.gatekeeper.sh/v1beta1",
    kind: "ProviderRequest",
    request: { keys },
  });
  say(`
The provider answers until Ctrl-C. In another terminal:

  D=${directory} PORT=${port} REGISTRY=${registry}
  curl --cacert $D/provider/ca.crt --cert $D/gatekeeper/tls.crt --key $D/gatekeeper/tls.key \\
       -H 'Content-Type: application/json' https://127.0.0.1:$PORT/validate \\
       -d '${body}'

  curl '${admin}/readyz?verbose'     what it is made of, and whether that is well
  curl '${admin}/metrics'            what it counts
  node_modules/.bin/node provider/main.ts verify --config $D/provider.yaml ${samples[0]?.image}
  less $D/provider.log               one line for each decision`);
}

const interrupted = once(process, "SIGINT");
interrupted.catch(() => undefined);
const directory = await mkdtemp(join(tmpdir(), "notation-demo-"));
try {
  say("A registry, and seven images in it:");
  await using registry = await startOlareg({ tls: true });
  step(`start a registry at ${registry.host}`);
  const notation = await createNotationHome(join(directory, "notation"), registry.ca ?? "");
  const certificate = await notation.generateKey("trusted.example");
  await notation.generateKey("stranger.example");
  const keys = { trusted: "trusted.example", stranger: "stranger.example" };
  await using signer = await pushAwsSamples(registry, step);
  const samples = [...(await pushSamples({ registry, notation, keys, step })), ...signer.samples];

  say("A provider that trusts one of the two keys, and one profile of AWS Signer:");
  const trust = join(directory, "trust");
  writeTrust(trust, {
    statements: [
      statement({ trustStores: ["ca:demo"] }),
      statement({
        name: "aws",
        registryScopes: signer.repositories,
        trustStores: ["signingAuthority:aws"],
        trustedIdentities: [signer.profile],
      }),
    ],
    stores: {
      "ca:demo": [new X509Certificate(certificate).raw],
      "signingAuthority:aws": [signer.root],
    },
  });
  const ca = join(directory, "registry-ca.crt");
  await writeFile(ca, registry.ca ?? "");
  await using provider = await startProvider({
    trust,
    registries: [{ host: registry.host, ca, allowedAddresses: ["127.0.0.0/8"] }],
    // Nobody else has to notice that it ends.
    overrides: {
      server: { drainDelay: "0ms" },
      aws: { endpoints: [{ service: "signer", url: signer.aws.url }] },
    },
    environment: {
      ...variablesOf(signer.aws.credentials),
    },
    logFile: true,
  });
  step(`ready after ${Math.round(provider.startedMs)} ms at ${provider.url}`);

  // The signature that was made to end after a second has done so by now, or does in a moment.
  await wait(1000);
  const caller = provider.caller();
  const images = samples.map(({ image }) => image);
  const began = performance.now();
  const answer = await caller.ask(images);
  const cold = performance.now() - began;
  const again = performance.now();
  await caller.ask(images);
  const cached = performance.now() - again;

  say("\nOne ProviderRequest over mutual TLS, as Gatekeeper sends it:\n");
  say(formatTable(samples.map((sample) => lineOf(sample, answer))));
  say(
    `\nAll seven in ${cold.toFixed(0)} ms; asked again, from the cache, in ${cached.toFixed(1)} ms.`,
  );
  if (options.raw) say(`\n${JSON.stringify(answer.response, null, 2)}`);

  if (options.serve) {
    explain(provider, samples, registry.host);
    await interrupted;
    say("");
  } else {
    say(`
Next:
  make demo ARGS=--raw    the whole ProviderResponse, with the facts about the verified image
  make demo-serve         the same, left running, with the curl line to ask it yourself
  docs/gatekeeper.md      how Gatekeeper asks, and what a template must do`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
