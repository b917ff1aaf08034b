// Renewal under load, of certificates that live for seconds: what OpenSSL holds their ends against is the machine's clock.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createCaller } from "../../testing/gatekeeper/caller.ts";
import {
  createGatekeeperAuthority,
  gatekeeperName,
  type Pair,
} from "../../testing/gatekeeper/certificates.ts";
import { startService } from "../../testing/gatekeeper/service.ts";
import {
  CLIENT_CA,
  encode,
  OWN,
  startWorld,
  until,
  type World,
} from "../../testing/kubernetes/world.ts";

const SERVING_MS = 6_000;
const AUTHORITY_MS = 3 * SERVING_MS;

/** A process of Gatekeeper's that calls all the time. */
interface Calls extends AsyncDisposable {
  /** Shows another certificate from now on. */
  mount(pair: Pair): void;
  /** Ends. @returns what went wrong */
  end(): Promise<readonly unknown[]>;
}

/** Begins to call replicas. Whoever answers must be trusted by what the Provider names as the connection is made. */
function startCalls(world: World, urls: readonly string[], first: Pair): Calls {
  const failures: unknown[] = [];
  let pair = first;
  const ended = new AbortController();

  /** @param calls on one connection at the most; fewer when Gatekeeper trusts other CAs, or has another certificate, meanwhile */
  const call = async (url: string, calls: number): Promise<void> => {
    while (!ended.signal.aborted) {
      const [ca, { cert, key }] = [world.bundle(), pair];
      const caller = createCaller({ url, ca, cert, key });
      let made = 0;
      do {
        made += 1;
        try {
          assert.equal((await caller.ask(["a"])).status, 200);
        } catch (error) {
          failures.push(error);
        }
      } while (
        made < calls &&
        ca === world.bundle() &&
        cert === pair.cert &&
        !ended.signal.aborted
      );
      await caller.close();
    }
  };
  const work = Promise.all(urls.flatMap((url) => [call(url, 1), call(url, Infinity)]));
  const end: Calls["end"] = async () => {
    ended.abort();
    await work;
    return failures;
  };
  return {
    mount(next) {
      pair = next;
    },
    end,
    [Symbol.asyncDispose]: async () => void (await end()),
  };
}

/** Gatekeeper's CA, and a certificate of it. */
async function createGatekeeper(): Promise<Pair & { readonly ca: string }> {
  const authority = await createGatekeeperAuthority();
  return { ca: authority.ca, ...(await authority.issue({ name: gatekeeperName() })) };
}

test(
  "T-66 F-30 serving certificates, their CA and Gatekeeper's are replaced again and again under load: no request fails",
  { timeout: 60_000 },
  async () => {
    let gatekeeper = await createGatekeeper();
    await using world = await startWorld(gatekeeper.ca);
    await using services = new AsyncDisposableStack();
    const replicas = await Promise.all(
      [0, 1].map(async (random) => {
        const { source } = await world.start({
          names: ["127.0.0.1"],
          servingMs: SERVING_MS,
          authorityMs: AUTHORITY_MS,
          random: () => random,
          limits: { backdateMs: 0, overlapMs: 1_000 },
        });
        return { source, service: services.use(await startService({ source })) };
      }),
    );
    await until(() => world.trusted().length > 0);
    const urls = replicas.map(({ service }) => service.url);
    await using prompt = startCalls(world, urls, gatekeeper);
    // The kubelet of the other one's node is later by a whole replacement.
    await using late = startCalls(world, urls, gatekeeper);

    const authorities = new Set<string>();
    const served = new Set<string>();
    /** Resolves when every replica serves with another certificate than those before. */
    const nextServed = async (): Promise<void> => {
      let pem = "";
      await until(() => {
        pem = world.secret("tls.crt") ?? "";
        return pem !== "" && !served.has(pem);
      });
      served.add(pem);
      const { issuer, validToDate } = new X509Certificate(pem);
      authorities.add(issuer);
      const isServed = ({ service }: (typeof replicas)[number]) =>
        service.server.certificates().notAfter >= validToDate;
      await until(() => replicas.every(isServed));
    };
    await nextServed();
    while (served.size < 6 || authorities.size < 3) {
      await nextServed();
      const former = gatekeeper;
      gatekeeper = await createGatekeeper();
      const { ca } = gatekeeper;
      late.mount(former);
      world.api.put(CLIENT_CA, { data: { "ca.crt": encode(ca) } });
      for (const { source } of replicas) {
        await until(async () => (await source.read()).clientCA === ca);
      }
      prompt.mount(gatekeeper);
      // Who deletes it asks for another CA; the first one is replaced because it grows old.
      if (authorities.size === 2) world.api.remove(OWN);
    }
    await until(() => world.trusted().length === 1);
    assert.deepEqual(await prompt.end(), []);
    assert.deepEqual(await late.end(), []);
  },
);
