import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import {
  createGatekeeperAuthority,
  createProviderAuthority,
} from "../../testing/gatekeeper/certificates.ts";
import {
  CLIENT_CA,
  encode,
  OWN,
  PROVIDER,
  startWorld as startWorldOf,
  until,
  type World,
} from "../../testing/kubernetes/world.ts";
import { certificatesOf } from "../lib/pem.ts";

const [gatekeeper, renewed] = [
  await createGatekeeperAuthority(),
  await createGatekeeperAuthority(),
];
const startWorld = async (): Promise<World> => await startWorldOf(gatekeeper.ca);

/** For tests that would otherwise wait for ever for a state that never comes. */
const BOUND = { timeout: 20_000 };

const soon = () => AbortSignal.timeout(10_000);
const subjectOf = (pem: string): string => new X509Certificate(pem).subject;
const changes = ({ events }: World): readonly string[] =>
  events.flatMap((event) => (event.kind === "changed" ? [event.change] : []));

test(
  "T-66 from nothing there is a CA that the Provider trusts, and a certificate of it to serve with",
  BOUND,
  async () => {
    await using world = await startWorld();
    const certificates = await world.start();
    await certificates.ready(soon());
    await until(() => world.trusted().length === 1);
    const { certificate, clientCA } = await certificates.source.read();
    const [leaf] = certificatesOf(certificate);
    const [authority] = certificatesOf(world.secret("ca.crt") ?? "");
    assert.ok(leaf !== undefined && authority !== undefined && leaf.verify(authority.publicKey));
    assert.equal(leaf.checkHost("notation-provider.gatekeeper-system") !== undefined, true);
    assert.equal(leaf.ca, false);
    assert.equal(clientCA, gatekeeper.ca);
    assert.deepEqual(world.trusted(), [authority.subject]);
    assert.ok(certificates.state().authorityEnds?.getTime() === authority.validToDate.getTime());
  },
);

test("replicas that start at once make one CA", BOUND, async () => {
  await using world = await startWorld();
  const replicas = await Promise.all([world.start(), world.start(), world.start()]);
  await Promise.all(replicas.map(async (replica) => await replica.ready(soon())));
  const texts = await Promise.all(replicas.map(async ({ source }) => await source.read()));
  assert.equal(new Set(texts.map(({ certificate }) => certificate)).size, 1);
  assert.deepEqual(changes(world), ["begin"]);
});

test(
  "certificates of another's making are trusted until the replicas that show them are gone",
  BOUND,
  async () => {
    await using world = await startWorld();
    const others = await createProviderAuthority();
    world.api.put(PROVIDER, { spec: { url: "https://x", caBundle: encode(others.ca) } });
    const bundles: string[] = [];
    const certificates = await world.start({
      limits: { overlapMs: 50 },
      observe(event) {
        if (event.kind === "applied") bundles.push(world.bundle());
      },
    });
    await certificates.ready(soon());
    await until(() => bundles.length === 2);
    const own = world.secret("ca.crt") ?? "";
    assert.deepEqual(bundles, [`${own}${others.ca}`, own]);
  },
);

test("a Provider that was edited by hand is repaired", BOUND, async () => {
  await using world = await startWorld();
  const certificates = await world.start();
  await certificates.ready(soon());
  await until(() => world.trusted().length === 1);
  const right = world.trusted();
  world.api.put(PROVIDER, { spec: { url: "https://x", caBundle: encode(gatekeeper.ca) } });
  await until(() => world.trusted()[0] === right[0]);
  assert.deepEqual(world.trusted(), right);
  await until(() => world.events.some((event) => event.kind === "applied" && event.isRepair));
});

test(
  "a Provider that comes late gets its bundle, and is named as missing until then",
  BOUND,
  async () => {
    await using world = await startWorld();
    world.api.remove(PROVIDER);
    const certificates = await world.start();
    await certificates.ready(soon());
    await until(() => certificates.state().problem === "provider_missing: notation");
    world.api.put(PROVIDER, { spec: { url: "https://x", caBundle: "" } });
    await until(() => world.trusted().length === 1);
    await until(() => certificates.state().problem === undefined);
  },
);

test(
  "F-30 a Secret that is deleted leads to another CA, which takes over when Gatekeeper trusts it",
  BOUND,
  async () => {
    await using world = await startWorld();
    world.ingest(true);
    const [replica, other] = [await world.start(), await world.start()];
    await replica.ready(soon());
    await other.ready(soon());
    await until(() => world.trusted().length === 1);
    const [before] = world.trusted();
    const served = (await replica.source.read()).certificate;

    world.ingest(false);
    world.api.remove(OWN);
    await until(() => world.trusted().length === 2);
    assert.equal(subjectOf(world.secret("ca.crt") ?? ""), before);
    assert.equal((await replica.source.read()).certificate, served);

    world.ingest(true);
    await until(() => world.trusted()[0] !== before);
    assert.deepEqual(world.trusted().length, 2);
    assert.equal(world.trusted()[1], before);
    for (const { source } of [replica, other]) {
      await until(async () => (await source.read()).certificate !== served);
      assert.equal((await source.read()).certificate, world.secret("tls.crt"));
    }
    assert.deepEqual(changes(world), ["begin", "replace", "promote"]);
  },
);

test("T-66 the CA before is dropped when its time is over", BOUND, async () => {
  await using world = await startWorld();
  world.ingest(true);
  const certificates = await world.start({ limits: { overlapMs: 50 } });
  await certificates.ready(soon());
  await until(() => world.trusted().length === 1);
  const [before] = world.trusted();
  world.api.remove(OWN);
  await until(() => changes(world).includes("retire"));
  await until(() => world.trusted().length === 1);
  assert.notEqual(world.trusted()[0], before);
});

const broken: readonly (readonly [string, Record<string, string>])[] = [
  ["half a certificate", { "tls.crt": encode("-----BEGIN CERTIFICATE-----\nMIIB") }],
  ["the key of another", { "tls.key": encode("-----BEGIN PRIVATE KEY-----\n") }],
  ["a CA that did not sign the certificate", { "ca.crt": encode(gatekeeper.ca) }],
];
for (const [title, data] of broken) {
  test(`a Secret with ${title} is restored from memory`, BOUND, async () => {
    await using world = await startWorld();
    const certificates = await world.start();
    await certificates.ready(soon());
    const right = world.secret("tls.crt");
    const secret = world.api.get(OWN) ?? {};
    world.api.put(OWN, { ...secret, data: { ...(secret["data"] as object), ...data } });
    await until(() => changes(world).includes("restore"));
    assert.equal(world.secret("tls.crt"), right);
    assert.equal((await certificates.source.read()).certificate, right);
  });
}

test("an error that nobody foresaw is told of, and looking after them goes on", BOUND, async () => {
  await using world = await startWorld();
  const clock = [() => assert.fail("nobody foresaw this")];
  const certificates = await world.start({ wallNow: () => clock.pop()?.() ?? Date.now() });
  await certificates.ready(soon());
  const [first] = world.events;
  assert.ok(first?.kind === "failed" && first.error !== undefined);
  assert.deepEqual([first.failure, first.problem], ["internal", "ERR_ASSERTION"]);
});

for (const days of [-40, 40, 4000]) {
  test(
    `F-30 a replica whose clock is ${days} days off follows the others and changes nothing`,
    BOUND,
    async () => {
      await using world = await startWorld();
      const good = await world.start();
      await good.ready(soon());
      await until(() => good.state().ageMs !== undefined);
      const before = changes(world);
      const wrong = await world.start({ wallNow: () => Date.now() + days * 86_400_000 });
      await wrong.ready(soon());
      await until(() => wrong.state().problem !== undefined || wrong.state().ageMs !== undefined);
      assert.deepEqual(await wrong.source.read(), await good.source.read());
      // With it gone, the Secret too is left to whoever knows the time.
      await good[Symbol.asyncDispose]();
      world.api.remove(OWN);
      await until(() => wrong.state().problem?.startsWith("clock: ") ?? false);
      assert.equal(world.api.get(OWN), undefined);
      assert.deepEqual(changes(world), before);
    },
  );
}

test(
  "a Provider that takes no bundle holds up neither another one nor a renewal",
  BOUND,
  async () => {
    await using world = await startWorld();
    const other = `${PROVIDER}-digest`;
    const providers = ["notation", "notation-digest"];
    world.api.put(other, { spec: { url: "https://x", caBundle: "" } });
    world.api.fault = ({ method, path }) =>
      method === "PATCH" && path === PROVIDER ? { status: 403, reason: "Forbidden" } : undefined;
    const certificates = await world.start({ providers });
    await certificates.ready(soon());
    await until(() => certificates.state().problem === "provider_write: Forbidden");
    assert.deepEqual(world.api.get(other)?.["spec"], {
      url: "https://x",
      caBundle: encode(world.secret("ca.crt") ?? ""),
    });
    await using renamed = await world.start({ providers, names: ["notation-provider.elsewhere"] });
    await until(() => changes(world).includes("renew"));
    assert.ok(renamed);
  },
);

test("a replica that may not read Providers serves what the others made", BOUND, async () => {
  await using world = await startWorld();
  const first = await world.start();
  await first.ready(soon());
  const { certificate } = await first.source.read();
  await first[Symbol.asyncDispose]();
  world.api.fault = ({ path }) =>
    path === PROVIDER ? { status: 403, reason: "Forbidden" } : undefined;
  const late = await world.start();
  await late.ready(soon());
  assert.equal((await late.source.read()).certificate, certificate);
  await until(() => late.state().problem === "provider_read: Forbidden");
});

test("replicas whose names are IPv6 addresses renew no certificate for them", BOUND, async () => {
  await using world = await startWorld();
  const certificates = await world.start({ names: ["2001:DB8::0:1"] });
  await certificates.ready(soon());
  await until(() => certificates.state().ageMs !== undefined);
  assert.deepEqual(changes(world), ["begin"]);
});

test("a write that comes too late gives way to the replica that was faster", BOUND, async () => {
  await using world = await startWorld();
  const first = await world.start();
  await first.ready(soon());
  const faster = world.api.get(OWN) ?? {};
  world.api.remove(OWN);
  await first[Symbol.asyncDispose]();
  // The late one finds none, and when it writes there is one.
  world.api.fault = ({ method, path }) => {
    if (method === "POST" && path.endsWith("/secrets")) world.api.put(OWN, faster);
    return undefined;
  };
  const late = await world.start();
  await late.ready(soon());
  assert.equal((await late.source.read()).certificate, (await first.source.read()).certificate);
  assert.deepEqual(changes(world), ["begin"]);
});

test(
  "F-42 a silent API server leaves the last good certificates in force, and is followed again when it answers",
  BOUND,
  async () => {
    await using world = await startWorld();
    const certificates = await world.start({ limits: { rereadEveryMs: 20 } });
    await certificates.ready(soon());
    await until(() => certificates.state().ageMs !== undefined);
    const good = await certificates.source.read();
    world.api.fault = () => ({ status: 503, reason: "ServiceUnavailable" });
    world.api.endWatches("reset");
    await until(() => certificates.state().problem !== undefined);
    assert.deepEqual(await certificates.source.read(), good);
    world.api.put(CLIENT_CA, { data: { "ca.crt": encode(renewed.ca) } });
    world.api.fault = undefined;
    await until(() => certificates.state().problem === undefined);
    assert.deepEqual(await certificates.source.read(), { ...good, clientCA: renewed.ca });
  },
);

test(
  "T-66 Gatekeeper's CA is followed, and one that is gone or broken changes nothing",
  BOUND,
  async () => {
    await using world = await startWorld();
    const certificates = await world.start();
    await certificates.ready(soon());
    const told: number[] = [];
    using watching = certificates.source.watch(() => told.push(1));
    assert.ok(watching);
    for (const data of [{}, { "ca.crt": encode("no certificate") }]) {
      world.api.put(CLIENT_CA, { data });
      await until(() => certificates.state().problem?.startsWith("client_ca_missing") ?? false);
      assert.equal((await certificates.source.read()).clientCA, gatekeeper.ca);
    }
    world.api.put(CLIENT_CA, { data: { "ca.crt": encode(renewed.ca) } });
    await until(() => told.length > 0);
    assert.equal((await certificates.source.read()).clientCA, renewed.ca);
  },
);

for (const how of ["expired", "reset"] as const) {
  test(`F-42 after watches that ended (${how}) a change is still seen`, BOUND, async () => {
    await using world = await startWorld();
    const certificates = await world.start();
    await certificates.ready(soon());
    await until(() => world.api.watches() === 3);
    world.api.endWatches(how);
    await until(() => world.api.watches() === 0);
    await until(() => world.api.watches() === 3);
    world.api.put(CLIENT_CA, { data: { "ca.crt": encode(renewed.ca) } });
    await until(async () => (await certificates.source.read()).clientCA === renewed.ca);
  });
}

test("F-42 a change that no watch tells of is seen at the next reading", BOUND, async () => {
  await using world = await startWorld();
  world.api.fault = ({ isWatch }) => (isWatch ? "silent" : undefined);
  const certificates = await world.start({ limits: { rereadEveryMs: 20 } });
  await certificates.ready(soon());
  world.api.put(CLIENT_CA, { data: { "ca.crt": encode(renewed.ca) } });
  await until(async () => (await certificates.source.read()).clientCA === renewed.ca);
});

test("F-42 a flood of events is answered with few readings", BOUND, async () => {
  await using world = await startWorld();
  const certificates = await world.start({ limits: { spacingMs: 50 } });
  await certificates.ready(soon());
  await until(() => world.api.watches() === 3 && certificates.state().ageMs !== undefined);
  const before = world.api.asked.length;
  const events = 5000;
  world.api.flood(events);
  world.api.put(CLIENT_CA, { data: { "ca.crt": encode(renewed.ca) } });
  await until(async () => (await certificates.source.read()).clientCA === renewed.ca);
  // Three requests a look; each event by itself would have been one.
  assert.ok(world.api.asked.length - before < events / 100);
});

test(
  "without an API server there is nothing to serve with, and the state says why",
  BOUND,
  async () => {
    await using world = await startWorld();
    world.api.fault = () => ({ status: 403, reason: "Forbidden" });
    const certificates = await world.start();
    await until(() => certificates.state().problem !== undefined);
    assert.match(certificates.state().problem ?? "", /^\w+: Forbidden$/);
    const over = new Error("over");
    await assert.rejects(certificates.ready(AbortSignal.abort(over)), over);
  },
);
