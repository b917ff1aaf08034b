// `make cluster`: a real control plane with Gatekeeper and the provider, left running until Ctrl-C.
import { join } from "node:path";
import { ROOT } from "../provider/start.ts";
import { expectSuccess } from "./api.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { KIND, podConstraint, podOf, TEMPLATE } from "./policy.ts";

const NAMESPACE = "demo";
const CONSTRAINT = "signed-images";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A Pod that runs already, and then the rule that would have refused it. */
async function prepare(cluster: Cluster): Promise<void> {
  const { api, registry, samples } = cluster;
  await cluster.namespaces(NAMESPACE);
  const older = podOf({ name: "older", namespace: NAMESPACE, image: samples.unsigned });
  expectSuccess(await api.create(older), "creating Pod older");
  await cluster.applyFile(TEMPLATE);
  await cluster.established(KIND);
  await cluster.apply(
    podConstraint({ name: CONSTRAINT, namespaces: [NAMESPACE], registry: registry.host }),
  );
  await cluster.enforced(KIND, CONSTRAINT);
}

function explain({ samples, kubeconfig, directory, logs, provider, registry }: Cluster): void {
  const { signed, unsigned, stranger, expired, tampered } = samples;
  const notation = join(directory, "notation");
  say(`
Everything runs until Ctrl-C. In another terminal:

  export KUBECONFIG=${kubeconfig}
  export KUBECACHEDIR=${join(directory, "home")} PATH=${join(ROOT, "tools/bin")}:$PATH
  export REGISTRY=${registry.host}
  alias k='kubectl --namespace ${NAMESPACE}'

One Pod that is admitted, and one that is refused:

  k run signed --image=${signed}
  k run unsigned --image=${unsigned}

Refused for other reasons:

  k run stranger --image=${stranger}
  k run expired --image=${expired}
  k run tampered --image=${tampered}

The constraint is on Pods, so a Deployment is accepted and the event of its ReplicaSet says why it has no Pods:

  k create deployment web --image=${unsigned}
  k get events --field-selector reason=FailedCreate

What the audit found, for Pod "older" ran before there was a rule:

  k get ${KIND.toLowerCase()} ${CONSTRAINT} -o jsonpath='{range .status.violations[*]}{.name}: {.message}{"\\n"}{end}'

Sign the image. Within seconds the audit forgets it; the Deployment gets its Pod when its ReplicaSet tries again, which
it does ever more seldom, so within a minute or two:

  NOTATION_CONFIG=${notation}/config SSL_CERT_FILE=${notation}/registry-ca.crt \\
    notation sign --force-referrers-tag=false --key trusted.example ${unsigned}

Here an answer is kept 10 s by Gatekeeper (3 minutes by default) and a refusal 5 s by the provider (30 s by default).
What goes on inside:

  curl '${provider.process().admin}/metrics'
  less ${join(provider.process().directory, "provider.log")}
  ls ${logs}`);
}

say("A control plane, Gatekeeper, a registry and the provider:");
const began = performance.now();
try {
  await using cluster = await startCluster({
    gatekeeper: { responseCacheTtl: "10s" },
    provider: { cache: { rejected: "5s" } },
    progress: say,
  });
  await prepare(cluster);
  say(`Ready after ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  explain(cluster);
  // A signal ends it, and this process.
  await cluster.ended;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
