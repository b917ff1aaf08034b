import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { commands } from "../../testing/verify/commands.ts";
import { createModel, endOf } from "../../testing/verify/model.ts";

test("T-01 T-19 T-27 F-43 nothing is verified or refused but what Notation said of that digest, repository, policy, level and version, a life ago at most", async () => {
  const seen = { fresh: 0, remembered: 0 };
  const property = fc.asyncProperty(commands(80), async (list) => {
    const { model, real } = createModel();
    await fc.asyncModelRun(() => ({ model, real }), list);
    await endOf(model);
    seen.fresh += model.verified.fresh;
    seen.remembered += model.verified.remembered;
  });
  await fc.assert(property, { numRuns: 250 });
  assert.ok(seen.fresh > 0 && seen.remembered > 0, JSON.stringify(seen));
});
