/** The line that Notation 1.3 prints first in layout mode. */
export const EXPERIMENTAL =
  'Warning: This feature is experimental and may not be fully tested or completed and may be deprecated. Report any issues to "https://github/notaryproject/notation"';

/** Digest of a signature manifest, for output where no layout is read. */
export const MANIFEST = `sha256:${"5".repeat(64)}`;

/** What `notation verify -v` logs before it looks at the signature. */
export const PROCESSING = `level=info msg=Processing signature with manifest mediaType: application/vnd.oci.image.manifest.v1+json and digest: ${MANIFEST}`;

/** Stderr of a run that failed for a reason of the signature. */
export const failureText = (reason: string, reference: string): string =>
  [
    EXPERIMENTAL,
    PROCESSING,
    `level=warning msg=Signature ${MANIFEST} failed verification with error: ${reason}`,
    `Error: signature verification failed for all the signatures associated with ${reference}`,
    "",
  ].join("\n");

/** Stderr of a run that passed although a check failed. */
export const warningText = (check: string, reason: string): string =>
  `Warning: ${check} was set to "log" and failed with error: ${reason}\n`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Shell: verified, as Notation 1.3 says it. */
export const SUCCEEDS = `echo ${quoted(EXPERIMENTAL)} >&2
echo "Successfully verified signature for $reference"
exit 0`;

/** Shell: says of a check that it failed and is only logged, and goes on. */
export const logsFailed = (check: string, reason: string): string =>
  `printf %s ${quoted(warningText(check, reason))} >&2`;

/** Shell: verified, with a check that failed and that the level only logs. */
export const warns = (check: string, reason: string): string =>
  `${logsFailed(check, reason)}\n${SUCCEEDS}`;

/** Shell: not verified, for a reason of the signature. */
export const fails = (reason: string): string =>
  `printf %s ${quoted(failureText(reason, "REFERENCE"))} | sed "s/REFERENCE/$reference/" >&2
exit 1`;

/** Shell: writes the process numbers of the program and of its child into `pids`, then waits for ever; Ctrl-C ends it. */
export const HANGS = `sleep 1000 &
echo "$$ $!" > "$here/pids.new"; mv "$here/pids.new" "$here/pids"
wait`;

/** Shell: as {@link HANGS}, but nothing short of SIGKILL ends it, and its child holds the pipes. */
export const HANGS_STUBBORNLY = `trap '' INT TERM HUP
${HANGS}
wait`;

/** Shell: says that it verified and ends, while a child of its group holds the pipes. */
export const LEAVES_A_CHILD = `sleep 1000 &
echo "$$ $!" > "$here/pids.new"; mv "$here/pids.new" "$here/pids"
${SUCCEEDS}`;

/** Shell: says that it verified and ends, once a child has a session of its own and holds the pipes. */
export const LEAVES_A_SESSION = `export here
setsid sh -c 'echo "$$" > "$here/pids.new"; mv "$here/pids.new" "$here/pids"; exec sleep 1000' &
until [ -e "$here/pids" ]; do sleep 0.01; done
${SUCCEEDS}`;

/** Shell: writes arguments and environment as the system shows them to others, then verifies. */
export const TELLS_WHAT_IT_KNOWS = `cat /proc/$$/cmdline > "$here/cmdline"
cat /proc/$$/environ > "$here/environ"
pwd > "$here/cwd"
ls > "$here/layout"
${SUCCEEDS}`;
