import { error, ok, warning, type Finding } from "../finding.ts";
import type { Deployment } from "./objects.ts";
import { isUnread, type ObservedCluster } from "./observed.ts";
import { reviewOf } from "./webhooks.ts";

/** Flags that stand without a value. */
const SWITCHES: ReadonlySet<string> = new Set([
  "log-denies",
  "enable-external-data",
  "audit-from-cache",
]);

/** Pods a second that kube-controller-manager makes unless it is told otherwise (`--kube-api-qps`). */
const PODS_PER_SECOND = 20;

/** Milliseconds that Gatekeeper keeps an answer unless it is told otherwise. */
const RESPONSE_CACHE_MS = 180_000;

/** The oldest minor release whose templates may be written in Rego v1. */
const OLDEST = 19;

/** What somebody gave a process of Gatekeeper. */
interface Process {
  readonly name: string;
  readonly replicas: number;
  readonly ready: number;
  readonly image: string;
  /** Every value of a flag, in its order. */
  readonly flag: (name: string) => readonly string[];
  readonly does: (operation: string) => boolean;
}

/** How Gatekeeper runs. */
export function processFindings(cluster: ObservedCluster): readonly Finding[] {
  const { deployments, gatekeeperNamespace } = cluster;
  if (isUnread(deployments)) return [];
  if (deployments.length === 0) {
    const sentence = `no Deployment of Gatekeeper in namespace ${gatekeeperNamespace}: nobody looked at its arguments`;
    return [warning("gatekeeper", sentence, "name its namespace by --gatekeeper-namespace")];
  }
  const processes = deployments.map(processOf);
  return [
    ...processes.flatMap((process) => findingsOf(process, cluster)),
    ...absenceFindings(processes),
  ];
}

function findingsOf(process: Process, cluster: ObservedCluster): readonly Finding[] {
  const found = [
    ...releaseFindings(process),
    ...(process.does("webhook") ? webhookProcessFindings(process, cluster) : []),
    ...(process.does("audit") ? auditFindings(process) : []),
  ];
  const isWell = `${process.ready} of ${process.replicas} replicas are ready, with arguments that admit nothing`;
  return found.length === 0 ? [ok(process.name, isWell)] : found;
}

function processOf({ metadata, spec, status }: Deployment): Process {
  const { containers } = spec.template.spec;
  const container = containers.find(({ name }) => name === "manager") ?? containers[0];
  const flags = flagsOf([...(container?.command ?? []), ...(container?.args ?? [])]);
  const flag = (name: string): readonly string[] => flags.get(name) ?? [];
  const operations = flag("operation");
  return {
    name: metadata.name,
    replicas: spec.replicas,
    ready: status.readyReplicas,
    image: container?.image ?? "",
    flag,
    // A process that is told nothing does everything.
    does: (operation) => operations.length === 0 || operations.includes(operation),
  };
}

/** Arguments as Go's `flag` package reads them: one hyphen or two, the value behind `=` or in the next argument. */
function flagsOf(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const flags = new Map<string, string[]>();
  for (const [index, argument] of args.entries()) {
    const [, name, , value] = /^--?([^=]+)(=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) continue;
    const next = args[index + 1];
    const text = value ?? (SWITCHES.has(name) || next === undefined ? "true" : next);
    const values = flags.get(name);
    if (values === undefined) flags.set(name, [text]);
    else values.push(text);
  }
  return flags;
}

const isOn = (values: readonly string[], fallback: boolean): boolean =>
  values.length === 0 ? fallback : /^(?:1|t|true)$/i.test(values.at(-1) ?? "");

function releaseFindings({ name, image }: Process): Finding[] {
  const [, major, minor] = /:v(\d+)\.(\d+)\.\d+/.exec(image) ?? [];
  if (major === undefined || Number(major) > 3 || Number(minor) >= OLDEST) return [];
  const sentence = `runs release ${major}.${minor}, which cannot read the template's Rego: no constraint is enforced`;
  return [error(name, sentence, "upgrade Gatekeeper to 3.22 or newer")];
}

function webhookProcessFindings(process: Process, cluster: ObservedCluster): readonly Finding[] {
  const { name, flag } = process;
  const found: Finding[] = [];
  const webhook = reviewOf(cluster);
  const isOpen = webhook?.failurePolicy === "Ignore";
  const graded = isOpen ? error : warning;

  const threads = Number(flag("max-serving-threads").at(-1) ?? -1);
  const enough = Math.ceil((PODS_PER_SECOND * cluster.deadlineMs) / 1000);
  if (threads < enough) {
    const limit = threads < 1 ? "the number of processors" : String(threads);
    const then = isOpen ? "are admitted unverified" : "are refused";
    const sentence = `--max-serving-threads is ${limit}: reviews queue behind slow ones, run into the webhook's time-out, and ${then}`;
    found.push(graded(name, sentence, "maxServingThreads: 100"));
  }
  if (!isOn(flag("enable-external-data"), true)) {
    const sentence =
      "--enable-external-data is off: the template does not compile, and nothing is enforced";
    found.push(error(name, sentence, "enableExternalData: true"));
  }
  const ttl = flag("external-data-provider-response-cache-ttl").at(-1);
  if (ttl !== undefined && (millisecondsOf(ttl) ?? 0) > RESPONSE_CACHE_MS) {
    const sentence = `--external-data-provider-response-cache-ttl is ${ttl}: a signature that was revoked passes that much longer`;
    found.push(warning(name, sentence, "externaldataProviderResponseCacheTTL: 3m or less"));
  }
  if (!isOn(flag("log-denies"), false)) {
    const sentence = "--log-denies is off: nobody can find out later who was refused what";
    found.push(warning(name, sentence, "logDenies: true"));
  }
  if (process.ready === 0) {
    const then = isOpen ? "everything is admitted unverified" : "everything is refused";
    found.push(error(name, `no replica is ready: ${then}`, "look at its Pods' events and log"));
  } else if (process.replicas < 2) {
    const then = isOpen ? "everything is admitted unverified" : "everything is refused";
    found.push(graded(name, `has a single replica: while it restarts, ${then}`, "replicas: 3"));
  }
  return [...found, ...exemptionFindings(process, cluster)];
}

/** Namespaces that may be labelled out of sight. */
function exemptionFindings({ name, flag }: Process, cluster: ObservedCluster): readonly Finding[] {
  const named = flag("exempt-namespace").filter((each) => each !== cluster.gatekeeperNamespace);
  const open = [
    ...flag("exempt-namespace-prefix").map((prefix) => `${prefix}*`),
    ...flag("exempt-namespace-suffix").map((suffix) => `*${suffix}`),
  ];
  const found: Finding[] = [];
  if (named.length > 0) {
    const sentence = `--exempt-namespace lets ${named.join(", ")} be labelled out of Gatekeeper's sight`;
    const remedy =
      "take them off controllerManager.exemptNamespaces; spare what must start by a constraint's excludedNamespaces";
    found.push(warning(name, sentence, remedy));
  }
  if (open.length > 0) {
    const sentence = `namespaces named ${open.join(", ")} may be labelled out of Gatekeeper's sight: whoever may create one is not reviewed there`;
    found.push(error(name, sentence, "no exemptNamespacePrefixes, no exemptNamespaceSuffixes"));
  }
  return found;
}

function auditFindings({ name, flag, replicas }: Process): readonly Finding[] {
  const found: Finding[] = [];
  if (replicas === 0 || flag("audit-interval").at(-1) === "0") {
    const sentence = "audit is off: nobody sees what was admitted unverified, or was there before";
    found.push(warning(name, sentence, "auditInterval: 60, with one replica"));
  }
  if (isOn(flag("audit-from-cache"), false)) {
    const sentence =
      "--audit-from-cache is on: audit sees only the kinds that a Config or a SyncSet names";
    found.push(warning(name, sentence, "auditFromCache: false"));
  }
  return found;
}

function absenceFindings(processes: readonly Process[]): readonly Finding[] {
  const found: Finding[] = [];
  const isDone = (operation: string): boolean => processes.some(({ does }) => does(operation));
  if (!isDone("webhook")) {
    const sentence = "no Deployment reviews: every call of the webhook fails";
    found.push(error("gatekeeper", sentence, "one with --operation=webhook"));
  }
  if (!isDone("audit")) {
    const sentence =
      "no Deployment audits: nobody sees what was admitted unverified, or was there before";
    found.push(warning("gatekeeper", sentence, "disableAudit: false"));
  }
  return found;
}

const UNITS = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
]);

/** Milliseconds of a duration as Go writes it: `1h30m`, `0`. */
function millisecondsOf(text: string): number | undefined {
  if (!/^(?:0|(?:\d+(?:\.\d+)?(?:h|ms|m|s))+)$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g);
  return parts.reduce(
    (sum, [, count, unit = ""]) => sum + Number(count) * (UNITS.get(unit) ?? 0),
    0,
  );
}
