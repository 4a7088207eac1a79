/** Where Ringtail behaves better than the Collector v0.161 on the same configuration, as data: the README's table is made from it. Both threads. */

export interface Quirk {
  readonly id: string;
  /** Section of the Collector's specification that describes it. */
  readonly section: string;
  /** What the Collector does. */
  readonly collector: string;
  /** What Ringtail does by default. */
  readonly ringtail: string;
  /** Whether `--compatibility otelcol` brings the Collector's behaviour back. What would only lose data, hang or crash does not come back. */
  readonly restored: boolean;
}

export const quirks: readonly Quirk[] = [
  {
    id: 'policies-checked-late',
    section: '1.1',
    collector: 'Policies are checked only when the processor starts.',
    ringtail: 'They are checked by check and validate too, all faults at once, with file, line and column.',
    restored: false,
  },
  {
    id: 'unknown-policy-key',
    section: '1.1',
    collector: 'An unknown key in a policy that holds a map is taken for an extension and ignored silently.',
    ringtail: 'It is ignored with a warning that names the nearest known key.',
    restored: false,
  },
  {
    id: 'policy-shorthand',
    section: '1.1',
    collector: 'Options beside type, such as and_sub_policy, are refused with a text that does not help.',
    ringtail: 'They are read as meant, with a warning that shows the canonical form.',
    restored: false,
  },
  {
    id: 'policy-without-name',
    section: '1.1',
    collector: 'A policy without a name stops the start.',
    ringtail: 'It is named after its type, with a warning.',
    restored: true,
  },
  {
    id: 'removed-gate',
    section: '1.1',
    collector: 'The removed gate processor.tailsamplingprocessor.disableinvertdecisions stops the start.',
    ringtail: 'It is accepted with a warning.',
    restored: false,
  },
  {
    id: 'numeric-without-bounds',
    section: '1.4.2',
    collector: 'numeric_attribute without bounds panics at the first evaluation.',
    ringtail: 'It is refused when the configuration is read.',
    restored: false,
  },
  {
    id: 'schema-urls-lost',
    section: '1.7.1',
    collector: 'Schema URLs of resources and scopes are lost.',
    ringtail: 'They are kept, as is every byte of a sampled span.',
    restored: false,
  },
  {
    id: 'decision-wait-rounded',
    section: '1.7.3',
    collector: 'decision_wait is rounded to whole seconds, at least one, and a trace is decided up to one second later.',
    ringtail: 'A trace is decided after its wait, to the tick of 100 ms; parts of a second count.',
    restored: false,
  },
  {
    id: 'overflow-forgets',
    section: '1.7.4',
    collector: 'Above num_traces the oldest trace is removed undecided, and its spans are lost.',
    ringtail: 'The oldest trace is decided early on what is there; nothing is removed undecided.',
    restored: true,
  },
  {
    id: 'overflow-old-slot',
    section: '1.7.4',
    collector: 'A removed trace that comes back is decided at its old time, on part of its spans.',
    ringtail: 'A wait belongs to the trace that began it.',
    restored: false,
  },
  {
    id: 'num-traces-zero',
    section: '1.7.4',
    collector: 'num_traces: 0 keeps one trace, or hangs with block_on_overflow.',
    ringtail: 'It is refused when the configuration is read.',
    restored: false,
  },
  {
    id: 'num-traces-default',
    section: '1.7.4',
    collector: 'Without num_traces at most 50,000 traces are held.',
    ringtail: 'Memory is the limit; num_traces holds when it is written.',
    restored: true,
  },
  {
    id: 'blocked-for-good',
    section: '1.7.4',
    collector: 'With block_on_overflow and no decision caches, intake stops for good after num_traces traces.',
    ringtail: 'A decided trace makes room, and intake goes on.',
    restored: false,
  },
  {
    id: 'block-waits',
    section: '1.7.4',
    collector: 'With block_on_overflow callers are kept waiting while num_traces traces are held.',
    ringtail: 'They are refused with RESOURCE_EXHAUSTED and RetryInfo, so that a waiting caller can turn elsewhere.',
    restored: true,
  },
  {
    id: 'output-one-call-per-trace',
    section: '1.7.5',
    collector: 'Sampled traces go on one call each, inside the decision loop; a failing consumer loses them with a warning.',
    ringtail: 'They go on in batches beside the loop, refused ones are tried again, and losses are counted.',
    restored: false,
  },
  {
    id: 'cache-half-ids',
    section: '1.7.6',
    collector: 'The decision caches know a trace by the last 8 bytes of its id.',
    ringtail: 'By all 16.',
    restored: false,
  },
  {
    id: 'cache-off',
    section: '1.7.6',
    collector: 'Without decision_cache a late span starts a new trace once the old entry has been evicted.',
    ringtail: 'Decisions are remembered by default, and late spans follow them.',
    restored: true,
  },
  {
    id: 'too-large-held',
    section: '1.7.7',
    collector: 'The spans of a trace above maximum_trace_size_bytes stay in memory until its entry is evicted.',
    ringtail: 'They are let go at once.',
    restored: false,
  },
  {
    id: 'ingest-with-drop',
    section: '1.8',
    collector: 'With span-ingest a drop policy that does not match forbids sampling, so nothing is ever sampled.',
    ringtail: 'With a drop policy the trace is decided at the end of its wait, on all that came, as with trace-complete; with a warning.',
    restored: true,
  },
  {
    id: 'ingest-absence',
    section: '1.8',
    collector: 'With span-ingest not, composite and inverted matches judge the first fragment alone.',
    ringtail: 'The same, with a warning when the configuration is read.',
    restored: false,
  },
  {
    id: 'ingest-forgets',
    section: '1.8',
    collector: 'With span-ingest and without decision_cache a trace that ended undecided is forgotten, and its late spans begin a new one.',
    ringtail: 'Its decision is remembered, and late spans follow it.',
    restored: true,
  },
  {
    id: 'shard-budgets',
    section: '1.9',
    collector: 'With num_shards each shard has its own part of every rate, so an uneven load wastes some of it.',
    ringtail: 'All shards share the whole budget.',
    restored: true,
  },
  {
    id: 'tracestate-members',
    section: '1.10',
    collector: 'With the gate usetracestate a tracestate of 32 members, which is the limit, cannot be parsed.',
    ringtail: 'It can; 33 cannot.',
    restored: true,
  },
  {
    id: 'uncredited-composite',
    section: '1.12',
    collector: 'tailsampling.composite_policy names a composite that voted even when another policy is credited.',
    ringtail: 'It is written only when the composite is the credited policy.',
    restored: true,
  },
  {
    id: 'one-bad-span',
    section: '3.1',
    collector: 'One span that cannot be read, such as one with a trace id of the wrong length, costs the whole request.',
    ringtail: 'The others are taken; the answer is a partial success that counts what was rejected and says where the first fault is.',
    restored: true,
  },
  {
    id: 'retry-without-pause',
    section: '2.1',
    collector: "The balancer's retry_on_failure: {enabled: true} tries again for ever and without a pause.",
    ringtail: 'The usual defaults hold: 5 s at first, growing with jitter to 30 s, for at most 5 minutes.',
    restored: false,
  },
  {
    id: 'dns-port-number',
    section: '2.1',
    collector: 'A number as the port of the dns resolver is refused.',
    ringtail: 'It is read as text, with a warning.',
    restored: false,
  },
  {
    id: 'whole-request-retried',
    section: '2.3',
    collector: 'When one backend fails the whole request fails, and a retry repeats what others have taken.',
    ringtail:
      'Only the slices of that backend are tried again; a caller that repeats the request delivers the rest of it alone; backends are called in parallel.',
    restored: false,
  },
  {
    id: 'ipv6-without-port',
    section: '2.4',
    collector: 'An IPv6 address without a port is dialled wrongly.',
    ringtail: 'It gets brackets and the port 4317.',
    restored: false,
  },
  {
    id: 'empty-dns-answer',
    section: '2.5',
    collector: 'An empty DNS answer empties the ring, and every request fails.',
    ringtail: 'The last good set stays; the fault is logged once and counted.',
    restored: false,
  },
  {
    id: 'address-in-two-slices',
    section: '2.5',
    collector: 'An address that stands in two EndpointSlices is gone when one of them drops it.',
    ringtail: 'It stays as long as any slice has it.',
    restored: false,
  },
  {
    id: 'one-bad-span',
    section: '3.1',
    collector: 'A request with one malformed span is refused whole.',
    ringtail: 'The other spans are taken, and the answer is a partial success that counts what was rejected.',
    restored: true,
  },
  {
    id: 'unknown-http-keys',
    section: '3.1',
    collector: 'Unknown keys directly below protocols.http, and at the top of otlphttp, are ignored silently.',
    ringtail: 'They are ignored with a warning that names the nearest known key.',
    restored: false,
  },
  {
    id: 'batch-losses-uncounted',
    section: '3.2',
    collector: 'A batch that the next component refuses is logged and lost, and counted nowhere.',
    ringtail: 'It is logged and counted.',
    restored: false,
  },
  {
    id: 'retry-after-in-the-past',
    section: '3.7',
    collector: 'A Retry-After date in the past gives a negative delay.',
    ringtail: 'It means now.',
    restored: false,
  },
  {
    id: 'short-default',
    section: '3.9',
    collector: 'A default in a reference without env:, NAME:-default in braces, is an error.',
    ringtail: 'It is read as if env: stood before it.',
    restored: false,
  },
];
