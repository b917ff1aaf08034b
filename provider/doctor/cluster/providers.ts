import { error, ok, warning, type Finding } from "../finding.ts";
import { problemOf, tell } from "./bundle.ts";
import type { Provider } from "./objects.ts";
import { isUnread, type ObservedCluster } from "./observed.ts";

/** Provider objects of ours: those whose URL ends in one of our routes. */
export const providersOf = (
  providers: readonly Provider[],
  path: "/validate" | "/mutate",
): readonly Provider[] => providers.filter(({ spec }) => URL.parse(spec.url)?.pathname === path);

/** Whether Gatekeeper finds the provider, and waits for it. */
export function providerFindings(cluster: ObservedCluster): readonly Finding[] {
  const { providers } = cluster;
  if (isUnread(providers)) return [];
  const validating = providersOf(providers, "/validate");
  const ours = [...validating, ...providersOf(providers, "/mutate")];
  const none = error(
    "Provider",
    "there is none whose url ends in /validate: whatever is constrained is refused",
    "apply the Provider objects of docs/gatekeeper.md",
  );
  return [
    ...(validating.length === 0 ? [none] : []),
    ...ours.flatMap((provider) => findingsOf(provider, cluster)),
  ];
}

const subjectOf = ({ metadata }: Provider): string => `Provider ${metadata.name}`;

function findingsOf(provider: Provider, cluster: ObservedCluster): readonly Finding[] {
  const found = [
    ...timeoutFindings(provider, cluster),
    ...trustFindings(provider, cluster),
    ...ingestFindings(provider),
  ];
  const isWell =
    "is known to every process of Gatekeeper, with a time-out and an authority in force";
  return found.length === 0 ? [ok(subjectOf(provider), isWell)] : found;
}

function timeoutFindings(provider: Provider, { deadlineMs }: ObservedCluster): readonly Finding[] {
  const { timeout } = provider.spec;
  const subject = subjectOf(provider);
  if (timeout < 1)
    return [error(subject, "has no timeout: every call fails at once", "timeout: 2")];
  const isMutation = URL.parse(provider.spec.url)?.pathname === "/mutate";
  // What mutation does not get in time keeps its tag, and is verified all the same.
  if (isMutation || timeout * 1000 > deadlineMs) return [];
  const sentence = `timeout (${timeout} s) is not above the provider's server.deadline (${deadlineMs / 1000} s): of an object with one slow image no verdict arrives at all`;
  const remedy = `timeout: ${Math.floor(deadlineMs / 1000) + 1}, or a smaller server.deadline`;
  return [warning(subject, sentence, remedy)];
}

function trustFindings(provider: Provider, cluster: ObservedCluster): readonly Finding[] {
  const subject = subjectOf(provider);
  const remedy = "give it the authority of the provider's serving certificate, base64 of its PEM";
  const problem = problemOf(provider.spec.caBundle, cluster.now);
  if (problem?.kind === "soon") return [warning(subject, `its caBundle ${tell(problem)}`, remedy)];
  if (problem !== undefined) {
    return [error(subject, `its caBundle ${tell(problem)}: every call fails`, remedy)];
  }
  const handshake = cluster.handshakes.get(provider.metadata.name);
  if (handshake?.kind !== "refused") return [];
  const sentence = `its caBundle does not fit what ${provider.spec.url} shows (${handshake.why}): every call fails`;
  return [error(subject, sentence, remedy)];
}

function ingestFindings(provider: Provider): readonly Finding[] {
  const subject = subjectOf(provider);
  const { byPod } = provider.status;
  const messages = new Set(byPod.flatMap(({ errors }) => errors.map(({ message }) => message)));
  if (messages.size > 0) {
    return [error(subject, `Gatekeeper refuses it: ${[...messages].join("; ")}`, "correct it")];
  }
  const stale = byPod.filter(
    ({ active, observedGeneration }) =>
      !active || observedGeneration < provider.metadata.generation,
  );
  if (byPod.length > 0 && stale.length === 0) return [];
  const who =
    stale.length === 0 ? "no process of Gatekeeper" : stale.map(({ id }) => id).join(", ");
  const sentence =
    stale.length === 0
      ? `${who} knows it: every call fails`
      : `${who} do not know it as it is: calls of theirs fail`;
  return [error(subject, sentence, "look at the log of Gatekeeper's Pods")];
}
