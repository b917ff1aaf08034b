import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { startApiServer } from "../../testing/kubernetes/api-server.ts";
import { createClient } from "./client.ts";

const SECRETS = "/api/v1/namespaces/default/secrets";

test("an object is read, and a refusal is an answer with the API's reason", async () => {
  await using api = await startApiServer();
  using client = await createClient({ kubeconfig: api.kubeconfig });
  api.put(`${SECRETS}/a`, { data: { word: "eA==" } });
  const found = await client.send({ path: `${SECRETS}/a` });
  assert.equal(found.kind, "ok");
  const body = { metadata: { name: "a" } };
  const refused = await client.send({ method: "POST", path: SECRETS, body });
  assert.ok(refused.kind === "refused" && Math.abs(Date.now() - (refused.at ?? 0)) < 300_000);
  const { at: _at, ...rest } = refused;
  assert.deepEqual(rest, {
    kind: "refused",
    status: 409,
    reason: "AlreadyExists",
    message: "AlreadyExists (of the double)",
  });
});

test("a server that never answers costs a request's time and no more", async () => {
  await using api = await startApiServer();
  using client = await createClient({ kubeconfig: api.kubeconfig, timeoutMs: 50 });
  api.fault = () => "silent";
  const answer = await client.send({ path: `${SECRETS}/a` });
  assert.deepEqual(answer, { kind: "unreachable", problem: "TIMEOUT" });
});

test("a token that is refused is read anew for the next request, whatever the time", async () => {
  await using api = await startApiServer();
  const tokenFile = `${api.kubeconfig}.token`;
  const parsed = JSON.parse(await readFile(api.kubeconfig, "utf8")) as {
    readonly users: readonly [{ readonly user: { readonly token: string } }];
  };
  const [{ user }] = parsed.users;
  // As the library has a Pod's own.
  const provider = { name: "tokenFile", config: { tokenFile } };
  const users = [{ name: "tester", user: { "auth-provider": provider } }];
  await writeFile(api.kubeconfig, JSON.stringify({ ...parsed, users }));
  await writeFile(tokenFile, "of-an-hour-ago");
  using client = await createClient({ kubeconfig: api.kubeconfig });
  api.put(`${SECRETS}/a`, { data: {} });
  const ask = async () => await client.send({ path: `${SECRETS}/a` });
  const refused = await ask();
  assert.ok(refused.kind === "refused" && refused.status === 401);
  await writeFile(tokenFile, user.token);
  assert.equal((await ask()).kind, "ok");
});

test("a request that its caller ends is ended", async () => {
  await using api = await startApiServer();
  using client = await createClient({ kubeconfig: api.kubeconfig });
  api.fault = () => "silent";
  const caller = new AbortController();
  const came = api.request(() => true);
  const answer = client.send({ path: `${SECRETS}/a` }, caller.signal);
  await came;
  caller.abort();
  assert.deepEqual(await answer, { kind: "unreachable", problem: "ABORTED" });
});

for (const reason of ["a\nline", "x".repeat(65), "a.b", ""]) {
  test(`a reason that is no word of the API, ${JSON.stringify(reason.slice(0, 9))}, is none`, async () => {
    await using api = await startApiServer();
    using client = await createClient({ kubeconfig: api.kubeconfig });
    api.fault = () => ({ status: 500, reason });
    const answer = await client.send({ path: `${SECRETS}/a` });
    assert.ok(answer.kind === "refused");
    assert.deepEqual([answer.status, answer.reason], [500, ""]);
  });
}

const broken = [
  { name: "a broken connection", fault: "reset" as const, maxBytes: 1000, problem: "ECONNRESET" },
  { name: "an answer that is too large", fault: undefined, maxBytes: 10, problem: "UNREADABLE" },
];
for (const { name, fault, maxBytes, problem } of broken) {
  test(`${name} is a problem and no error`, async () => {
    await using api = await startApiServer();
    using client = await createClient({ kubeconfig: api.kubeconfig, maxBytes });
    api.put(`${SECRETS}/a`, { data: {} });
    api.fault = () => fault;
    const answer = await client.send({ path: `${SECRETS}/a` });
    assert.deepEqual(answer, { kind: "unreachable", problem });
  });
}

const ends = [
  { how: "expired", why: "Expired" },
  { how: "reset", why: "ECONNRESET" },
] as const;
for (const { how, why } of ends) {
  test(`F-42 a watch tells of changes, and when it is ${how} it says so`, async () => {
    await using api = await startApiServer();
    using client = await createClient({ kubeconfig: api.kubeconfig });
    api.put(`${SECRETS}/a`, { data: {} });
    const types: string[] = [];
    const seen = Promise.withResolvers<void>();
    const ended = client.watch(
      `${SECRETS}?fieldSelector=metadata.name%3Da`,
      (type) => {
        types.push(type);
        if (types.length === 1) api.put(`${SECRETS}/b`, { data: {} });
        if (types.length === 1) api.remove(`${SECRETS}/a`);
        if (types.length === 2) seen.resolve();
      },
      new AbortController().signal,
    );
    await seen.promise;
    api.endWatches(how);
    assert.equal(await ended, why);
    assert.deepEqual(types, ["ADDED", "DELETED"]);
  });
}

test("a kubeconfig that names no cluster is refused with a sentence", async () => {
  await using api = await startApiServer();
  await writeFile(api.kubeconfig, JSON.stringify({ clusters: [], users: [], contexts: [] }));
  await assert.rejects(createClient({ kubeconfig: api.kubeconfig }), {
    message: "the kubeconfig's current context names no cluster at an https:// address",
  });
});
