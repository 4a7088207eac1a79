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
    restored: false,
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
    id: 'blocked-for-good',
    section: '1.7.4',
    collector: 'With block_on_overflow and no decision caches, intake stops for good after num_traces traces.',
    ringtail:
      'Requests are refused with RESOURCE_EXHAUSTED and RetryInfo while the table is full, and taken again once traces are decided.',
    restored: false,
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
    restored: false,
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
    id: 'shard-budgets',
    section: '1.9',
    collector: 'With num_shards each shard has its own part of every rate, so an uneven load wastes some of it.',
    ringtail: 'All shards share the whole budget.',
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
];
