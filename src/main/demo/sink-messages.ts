/** What the demo and its sink say to each other. Both processes. */

/** count: how much came so far. tally: which traces. forget: stop remembering, so that a sink left running does not grow. */
export type SinkQuestion = 'count' | 'tally' | 'forget';

export type SinkMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'count'; readonly spansReceived: number }
  | { readonly kind: 'tally'; readonly spansByTrace: ReadonlyMap<string, number> };
