/**
 * Loaded into each process of tests before its file: one that waits for ever would hold up everybody, and not say why. The
 * runner's own time-out is over single tests, not over what surrounds them: setting up, tearing down, and the end of the
 * process, which something may still keep open.
 */
import { after } from "node:test";

/** For a file. The longest is that of the fuzz targets, which takes six minutes. */
const FILE_MS = 15 * 60_000;
/** Between the end of the last test and that of the process; what is torn down meanwhile takes seconds. */
const END_MS = 60_000;

/** A file's end matters in a process of its own; the runner's process goes on with others. */
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  bound(FILE_MS, "is not done");
  after(() => bound(END_MS, "is done and does not end"));
}

/** The timer holds nothing itself. Exiting ends what the harness started. */
function bound(milliseconds: number, state: string): void {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(", ");
    process.stderr.write(`after ${milliseconds / 1000} s this file ${state}. It holds: ${held}\n`);
    process.exit(1);
  }, milliseconds).unref();
}
