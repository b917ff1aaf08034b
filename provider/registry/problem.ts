import { z } from "zod";
import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import type { Reply } from "./http.ts";

const ErrorBody = z.object({ errors: z.array(z.object({ code: z.string() })).max(32) });

/** Codes of the registry's own errors. @see OCI Distribution Specification 1.1, "Error Codes" */
export function errorCodesOf(reply: Reply): readonly string[] {
  const value = parseStrictJson(reply.body);
  const parsed = value instanceof JsonProblem ? undefined : ErrorBody.safeParse(value);
  return parsed?.success ? parsed.data.errors.map(({ code }) => code) : [];
}

/** Undecided `REGISTRY_ERROR`. @param sentence about the registry, no text of it in it */
export const registryError = (sentence: string): Undecided => undecided("REGISTRY_ERROR", sentence);

/** For a reply of a status that means nothing to the question. */
export function unexpected({ status }: Reply): Undecided {
  return status >= 300 && status < 400
    ? registryError("the registry sent us elsewhere, where the configuration does not")
    : registryError(`the registry answered with status ${status}`);
}
