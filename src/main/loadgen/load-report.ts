/** The account of a load: what was made, sent, accepted and refused. Main thread. */

export interface LoadReport {
  readonly traces: number;
  /** By kind: traces. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly spans: { readonly sent: number; readonly accepted: number; readonly rejected: number; readonly failed: number };
  readonly requests: { readonly sent: number; readonly failed: number };
  readonly bytes: number;
  readonly seconds: number;
  readonly spansPerSecond: number;
  /** Reasons of failed and partly rejected requests, with the number of requests. */
  readonly faults: Readonly<Record<string, number>>;
}

/** Distinct reasons kept; the rest is counted together. */
const faultsMax = 20;

export class LoadAccount {
  traces = 0;
  spansSent = 0;
  spansAccepted = 0;
  /** Refused by a peer that took the rest of the request. */
  spansRejected = 0;
  spansFailed = 0;
  requestsSent = 0;
  requestsFailed = 0;
  bytes = 0;
  readonly #kinds = new Map<string, number>();
  readonly #faults = new Map<string, number>();

  countTrace(kind: string): void {
    this.traces += 1;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
  }

  countFault(text: string): void {
    const key = this.#faults.has(text) || this.#faults.size < faultsMax ? text : 'other';
    this.#faults.set(key, (this.#faults.get(key) ?? 0) + 1);
  }

  report(seconds: number): LoadReport {
    return {
      traces: this.traces,
      kinds: Object.fromEntries(this.#kinds),
      spans: { sent: this.spansSent, accepted: this.spansAccepted, rejected: this.spansRejected, failed: this.spansFailed },
      requests: { sent: this.requestsSent, failed: this.requestsFailed },
      bytes: this.bytes,
      seconds,
      spansPerSecond: seconds > 0 ? this.spansSent / seconds : 0,
      faults: Object.fromEntries(this.#faults),
    };
  }
}
