/** The members of a backend fleet as one immutable, versioned value. Any thread. */

/** `endpoints`: distinct `host:port` strings (IPv6 bracketed, port always present), sorted by bytes. `version` grows by one per change. */
export interface EndpointSet {
  readonly version: number;
  readonly endpoints: readonly string[];
}

/** What a resolver tells: a new set (never empty after a good one). Unchanged answers are not told. */
export interface Resolver {
  /** Label of the metrics: static, dns, k8s. */
  readonly kind: 'static' | 'dns' | 'k8s';
  /** Begins; resolves once the first attempt has ended, whether or not it found anything. */
  start(onChange: (set: EndpointSet) => void): Promise<void>;
  /** Asks again now (a backend just failed); coalesced. */
  refresh(): void;
  stop(): Promise<void>;
}
