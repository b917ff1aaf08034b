// What the dashboard shows, row by row. `$s` stands for the labels that the reader chose; docs/metrics.md says what each metric is.

/** A line of a panel, or a family of lines. */
interface Query {
  readonly expr: string;
  /** What a line is called; `{{label}}` is replaced. */
  readonly legend: string;
}

/** A graph; with `now` only what is so at the moment. */
export interface Panel {
  readonly title: string;
  /** What to think of it, for whoever is woken by an alert. */
  readonly about: string;
  /** As Grafana names units. */
  readonly unit: "s" | "ops" | "reqps" | "short" | "percentunit" | "bytes";
  readonly queries: readonly Query[];
  readonly now?: true;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const rate = (metric: string, by: string, more = ""): string =>
  `sum by (${by}) (rate(${metric}{$s${more}}[$__rate_interval]))`;

const percentile = (share: number, metric: string, by = "", more = ""): string =>
  `histogram_quantile(${share}, sum by (le${by === "" ? "" : `, ${by}`}) (rate(${metric}_bucket{$s${more}}[$__rate_interval])))`;

export const ROWS: readonly Row[] = [
  {
    title: "Answers",
    panels: [
      {
        title: "Requests by status",
        about:
          "What Gatekeeper asks, by HTTP status. 499 is a caller that had gone before its answer.",
        unit: "reqps",
        queries: [
          {
            expr: rate("notation_provider_requests_total", "route, code", ',route!="none"'),
            legend: "{{route}} {{code}}",
          },
        ],
      },
      {
        title: "Time of an answer",
        about:
          "Near server.deadline images are refused with TIMEOUT, and each call holds a thread of Gatekeeper.",
        unit: "s",
        queries: [0.5, 0.9, 0.99].map((share) => ({
          expr: percentile(
            share,
            "notation_provider_request_duration_seconds",
            "",
            ',route="validate"',
          ),
          legend: `p${share * 100}`,
        })),
      },
      {
        title: "Verdicts",
        about: "Rejected is a fact about an image, undecided one about the world.",
        unit: "ops",
        queries: [
          { expr: rate("notation_provider_verifications_total", "outcome"), legend: "{{outcome}}" },
        ],
      },
      {
        title: "Rejected, by reason",
        about: "docs/reasons.md has a row for each.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_verifications_total", "reason", ',outcome="rejected"')} > 0`,
            legend: "{{reason}}",
          },
        ],
      },
      {
        title: "Undecided, by reason",
        about:
          "Refused although nothing is known against the image. Never cached: the next attempt may succeed.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_verifications_total", "reason", ',outcome="undecided"')} > 0`,
            legend: "{{reason}}",
          },
        ],
      },
      {
        title: "Keys that wait",
        about: "At the bound new ones are OVERLOADED.",
        unit: "short",
        queries: [{ expr: "sum by (pod) (notation_provider_waiting_keys{$s})", legend: "{{pod}}" }],
      },
      {
        title: "Tags pinned",
        about:
          "Images of mutation requests. What is not pinned keeps its tag, and is verified all the same.",
        unit: "ops",
        queries: [{ expr: rate("notation_provider_pins_total", "outcome"), legend: "{{outcome}}" }],
      },
    ],
  },
  {
    title: "Caches",
    panels: [
      {
        title: "Where verdicts came from",
        about: "A miss is a verification; joined is one that somebody else had begun.",
        unit: "ops",
        queries: [
          { expr: rate("notation_provider_cache_requests_total", "use"), legend: "{{use}}" },
        ],
      },
      {
        title: "Time of a verdict, 99th percentile",
        about: "A hit takes less than 25 ms.",
        unit: "s",
        queries: [
          {
            expr: percentile(0.99, "notation_provider_verification_duration_seconds", "cache"),
            legend: "{{cache}}",
          },
        ],
      },
      {
        title: "Entries",
        about: "Each cache has a bound of its own.",
        unit: "short",
        queries: [
          { expr: "sum by (cache) (notation_provider_cache_entries{$s})", legend: "{{cache}}" },
        ],
      },
      {
        title: "Bytes",
        about: "Of all replicas together.",
        unit: "bytes",
        queries: [
          { expr: "sum by (cache) (notation_provider_cache_bytes{$s})", legend: "{{cache}}" },
        ],
      },
      {
        title: "Verdicts made anew before their end",
        about: "What turns out rejected here was revoked, or its trust was withdrawn.",
        unit: "ops",
        queries: [
          {
            expr: rate("notation_provider_cache_refreshes_total", "outcome"),
            legend: "{{outcome}}",
          },
        ],
      },
    ],
  },
  {
    title: "Registries and Notation",
    panels: [
      {
        title: "Requests of registries that failed",
        about: "THROTTLED and UNREACHABLE pass by themselves, UNAUTHORIZED does not.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_registry_requests_total", "registry, outcome", ',outcome!="ok"')} > 0`,
            legend: "{{registry}} {{outcome}}",
          },
        ],
      },
      {
        title: "Time of a registry, 99th percentile",
        about: "A new image needs about two round trips.",
        unit: "s",
        queries: [
          {
            expr: percentile(
              0.99,
              "notation_provider_registry_request_duration_seconds",
              "registry",
            ),
            legend: "{{registry}}",
          },
        ],
      },
      {
        title: "Judgements",
        about: "NOTATION_FAILED is a fault of Notation or of a plugin, not of an image.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_notation_judgements_total", "outcome")} > 0`,
            legend: "{{outcome}}",
          },
        ],
      },
      {
        title: "Time of Notation, 99th percentile",
        about: "A long queue wants processors; long runs without one wait for revocation servers.",
        unit: "s",
        queries: [
          {
            expr: percentile(0.99, "notation_provider_notation_duration_seconds"),
            legend: "in all",
          },
          { expr: percentile(0.99, "notation_provider_notation_queue_seconds"), legend: "queue" },
          { expr: percentile(0.99, "notation_provider_notation_spawn_seconds"), legend: "start" },
        ],
      },
    ],
  },
  {
    title: "Trust and certificates",
    panels: [
      {
        title: "Trust policies that are not current",
        about:
          "stale: the last good form is in force, and whoever was taken out is still trusted. never: all is refused.",
        unit: "short",
        queries: [
          {
            expr: 'sum by (policy, state) (notation_provider_trust_policy_state{$s,state!="current"}) > 0',
            legend: "{{policy}} {{state}}",
          },
        ],
      },
      {
        title: "Age of trust policies",
        about:
          "Since what is in force was last read and found good; at most trust.rereadEvery on a good day.",
        unit: "s",
        queries: [
          {
            expr: "max by (policy) (notation_provider_trust_policy_age_seconds{$s})",
            legend: "{{policy}}",
          },
        ],
      },
      {
        title: "Until certificates end",
        about: "At 0 Gatekeeper refuses to call.",
        unit: "s",
        queries: [
          {
            expr: "min(notation_provider_serving_certificate_expiry_seconds{$s})",
            legend: "serving",
          },
          {
            expr: "min(notation_provider_authority_certificate_expiry_seconds{$s}) > 0",
            legend: "authority",
          },
        ],
      },
      {
        title: "Certificates of the provider's own",
        about: "Since they were last seen to be as they should be; 0 where certificates are files.",
        unit: "s",
        queries: [
          {
            expr: "max by (pod) (notation_provider_certificates_age_seconds{$s}) < Inf",
            legend: "{{pod}}",
          },
        ],
      },
      {
        title: "Failures and changes of these",
        about:
          "A failure names what could not be read or written; a change is a step of a renewal.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_certificates_failures_total", "failure")} > 0`,
            legend: "failed: {{failure}}",
          },
          {
            expr: `${rate("notation_provider_certificates_changes_total", "change")} > 0`,
            legend: "{{change}}",
          },
        ],
      },
      {
        title: "Handshakes that failed",
        about: "A steady rate after a rotation means that somebody has a former authority.",
        unit: "ops",
        queries: [
          { expr: rate("notation_provider_failed_handshakes_total", "pod"), legend: "{{pod}}" },
        ],
      },
    ],
  },
  {
    title: "AWS",
    panels: [
      {
        title: "Requests of AWS that failed",
        about: "denied: somebody has to grant a permission. revoked is an answer.",
        unit: "ops",
        queries: [
          {
            expr: `${rate("notation_provider_aws_requests_total", "service, region, outcome", ',outcome!~"ok|revoked"')} > 0`,
            legend: "{{service}} {{region}} {{outcome}}",
          },
        ],
      },
      {
        title: "Time of AWS, 99th percentile",
        about: "The question to AWS Signer is part of a verification.",
        unit: "s",
        queries: [
          {
            expr: percentile(
              0.99,
              "notation_provider_aws_request_duration_seconds",
              "service, operation",
            ),
            legend: "{{service}} {{operation}}",
          },
        ],
      },
      {
        title: "Until tokens and credentials end",
        about: "0 where there are none, as where AWS is not used.",
        unit: "s",
        queries: [
          {
            expr: "min by (region) (notation_provider_aws_token_expiry_seconds{$s})",
            legend: "token {{region}}",
          },
          {
            expr: "min by (operation) (notation_provider_aws_credentials_expiry_seconds{$s}) < Inf",
            legend: "credentials {{operation}}",
          },
        ],
      },
      {
        title: "Where credentials come from",
        about: "More than one only while something is changed.",
        unit: "short",
        now: true,
        queries: [
          {
            expr: "count by (source) (notation_provider_aws_credentials_source{$s} == 1)",
            legend: "{{source}}",
          },
        ],
      },
      {
        title: "Signatures watched for revocation",
        about: "The oldest answer is what a revocation may go unseen by.",
        unit: "short",
        queries: [
          {
            expr: "sum(notation_provider_signer_watched_questions{$s})",
            legend: "questions",
          },
          {
            expr: "max(notation_provider_signer_oldest_answer_seconds{$s})",
            legend: "seconds of the oldest answer",
          },
        ],
      },
    ],
  },
  {
    title: "Replicas",
    panels: [
      {
        title: "Versions",
        about: "More than one only while a release rolls out.",
        unit: "short",
        now: true,
        queries: [
          {
            expr: "count by (version, notation) (notation_provider_build_info{$s})",
            legend: "{{version}}, Notation {{notation}}",
          },
        ],
      },
      {
        title: "Processors",
        about: "Of the provider itself; Notation's processes come on top.",
        unit: "short",
        queries: [{ expr: rate("process_cpu_seconds_total", "pod"), legend: "{{pod}}" }],
      },
      {
        title: "Memory",
        about: "Of the provider itself; Notation's processes come on top.",
        unit: "bytes",
        queries: [{ expr: "sum by (pod) (process_resident_memory_bytes{$s})", legend: "{{pod}}" }],
      },
      {
        title: "Delay of the event loop",
        about:
          "The longest between two scrapes. What is above a second costs callers their deadlines.",
        unit: "s",
        queries: [
          {
            expr: "max by (pod) (nodejs_eventloop_lag_max_seconds{$s})",
            legend: "{{pod}} at most",
          },
          { expr: "max by (pod) (nodejs_eventloop_lag_p99_seconds{$s})", legend: "{{pod}} p99" },
        ],
      },
      {
        title: "Share of time that garbage is collected",
        about: "Above a twentieth the heap is too small.",
        unit: "percentunit",
        queries: [{ expr: rate("nodejs_gc_duration_seconds_sum", "pod"), legend: "{{pod}}" }],
      },
      {
        title: "Connections of callers",
        about: "Gatekeeper keeps up to ten for each of its Pods.",
        unit: "short",
        queries: [
          { expr: "sum by (state) (notation_provider_connections{$s})", legend: "{{state}}" },
        ],
      },
      {
        title: "Lost for want of room or of a reader",
        about: "Connections that were closed to make room for others; log lines that nobody read.",
        unit: "ops",
        queries: [
          {
            expr: rate("notation_provider_dropped_connections_total", "pod"),
            legend: "{{pod}} connections",
          },
          {
            expr: rate("notation_provider_dropped_log_lines_total", "pod"),
            legend: "{{pod}} log lines",
          },
        ],
      },
    ],
  },
];
