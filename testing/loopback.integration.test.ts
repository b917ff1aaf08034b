import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { connect } from "node:net";
import { test } from "node:test";
import { listen } from "./loopback.ts";

test("a server ends though somebody is in the middle of a TLS handshake with it", async () => {
  const server = createServer();
  const { port, connections, end } = await listen(server);
  const accepted = once(server, "connection");
  const caller = connect(port, "127.0.0.1");
  caller.on("error", () => undefined);
  const gone = once(caller, "close");
  await accepted;
  assert.equal(connections(), 1);
  await end();
  await gone;
});
