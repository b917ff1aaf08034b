// The service as `notation-provider serve` starts it, but on clocks by which hours pass in minutes: what it keeps grows old on them,
// deadlines and time-outs stay in real time. On SIGUSR2 it collects garbage and notes what is left.
// `node --expose-gc bench/soak-provider.ts FACTOR EPOCH CONFIG`, see clock.ts.
import process from "node:process";
import { serveCommand } from "../provider/commands/serve.ts";
import { acceleratedAges } from "./clock.ts";
import { noteHeld } from "./held.ts";

const [factor, epoch, file = ""] = process.argv.slice(2);
const ages = acceleratedAges(Number(factor), Number(epoch));
process.on("SIGUSR2", () => noteHeld(ages.wallNow() - Number(epoch)));
process.exit(await serveCommand(file, ages));
