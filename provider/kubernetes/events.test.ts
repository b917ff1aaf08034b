import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiRequest } from "./client.ts";
import { createAnnouncer, type Announcement } from "./events.ts";

const RENEWED: Announcement = { type: "Normal", reason: "CertificateRenewed", note: "until 2027" };

function createStage() {
  const sent: ApiRequest[] = [];
  let time = 0;
  const announce = createAnnouncer({
    client: {
      send: async (request) => {
        sent.push(request);
        return { kind: "unreachable", problem: "ECONNREFUSED" };
      },
    },
    pod: { namespace: "gatekeeper-system", name: "notation-provider-1" },
    now: () => time,
    wallNow: () => Date.parse("2026-11-21T13:00:00.123Z"),
    signal: new AbortController().signal,
  });
  return { sent, announce, advance: (ms: number) => (time += ms) };
}

test("an announcement is an Event beside the Pod", () => {
  const { sent, announce } = createStage();
  announce(RENEWED);
  const [request] = sent;
  assert.ok(request !== undefined);
  const { metadata, ...event } = request.body as { metadata: { name: string } };
  assert.match(metadata.name, /^notation-provider-1\.[0-9a-f]{16}$/);
  assert.equal(request.path, "/apis/events.k8s.io/v1/namespaces/gatekeeper-system/events");
  assert.deepEqual(event, {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    eventTime: "2026-11-21T13:00:00.123000Z",
    type: "Normal",
    reason: "CertificateRenewed",
    action: "CertificateRenewed",
    note: "until 2027",
    regarding: {
      apiVersion: "v1",
      kind: "Pod",
      namespace: "gatekeeper-system",
      name: "notation-provider-1",
    },
    reportingController: "notation-gatekeeper-provider",
    reportingInstance: "notation-provider-1",
  });
});

test("the same is said once in ten minutes", () => {
  const { sent, announce, advance } = createStage();
  for (const ms of [0, 599_999, 1]) {
    advance(ms);
    announce(RENEWED);
  }
  assert.equal(sent.length, 2);
});

test("no more than twenty things are said in ten minutes, however many there are", () => {
  const { sent, announce, advance } = createStage();
  for (let index = 0; index < 1000; index += 1) announce({ ...RENEWED, note: String(index) });
  assert.equal(sent.length, 20);
  advance(600_000);
  announce(RENEWED);
  assert.equal(sent.length, 21);
});

test("a note is cut to what the API takes", () => {
  const { sent, announce } = createStage();
  announce({ ...RENEWED, note: "x".repeat(5000) });
  assert.deepEqual(
    sent.map(({ body }) => (body as { note: string }).note.length),
    [1024],
  );
});
