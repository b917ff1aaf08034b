// The program of the starter, which starts Notation for the provider: see starter-client.ts.
import { now } from "../lib/clock.ts";
import { createRunner } from "./run.ts";
import type { Answer, Order } from "./starter-client.ts";

const [graceMs = Number.NaN, outputBytes = Number.NaN] = process.argv.slice(2).map(Number);
const runner = createRunner({ graceMs, outputBytes, now });
const running = new Map<number, AbortController>();

function say(answer: Answer): void {
  if (process.connected) process.send?.(answer);
}

async function run({ id, command }: Extract<Order, { kind: "run" }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const result = await runner.run(command, controller.signal, (group) =>
    say({ kind: "begun", id, group }),
  );
  running.delete(id);
  say({ kind: "ended", id, result });
}

process.on("message", (order: Order) => {
  switch (order.kind) {
    case "run":
      void run(order);
      break;
    case "interrupt":
      running.get(order.id)?.abort();
      break;
    case "kill":
      void runner.killAll();
      break;
  }
});

// The provider has ended, in whatever way: nothing that was started for it may outlive it.
process.on("disconnect", () => {
  void runner.killAll().then(() => process.exit(0));
});

// Whoever ends the provider's process group, from a terminal or otherwise, means the provider, which then ends this.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
