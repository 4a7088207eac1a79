/** Sends the requests of a file as they are, in order, as fast as they are taken. Main thread. */

import type { Sender } from '../exporters/sender/send-request.ts';
import type { LoadAccount } from './load-report.ts';
import type { ReplayRecord } from './replay-file.ts';

export interface ReplaySettings {
  readonly records: AsyncIterable<ReplayRecord>;
  readonly account: LoadAccount;
  /** Each request goes to the next one. */
  readonly targets: readonly Sender[];
  readonly inFlightMax: number;
}

export class ReplayLoad {
  readonly #settings: ReplaySettings;
  #stopped = false;

  constructor(settings: ReplaySettings) {
    this.#settings = settings;
  }

  /** Settles when every request is answered. Errors: rejects with what is wrong about the file, after what came before it is answered. */
  async run(): Promise<void> {
    const { records, targets, inFlightMax } = this.#settings;
    const inFlight = new Set<Promise<void>>();
    let next = 0;
    try {
      for await (const record of records) {
        if (this.#stopped) break;
        const sending = this.#send(record, targets[next++ % targets.length]!).finally(() => inFlight.delete(sending));
        inFlight.add(sending);
        if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
      }
    } finally {
      await Promise.all(inFlight);
    }
  }

  /** Nothing more is begun. */
  stop(): void {
    this.#stopped = true;
  }

  async #send(record: ReplayRecord, target: Sender): Promise<void> {
    const { account } = this.#settings;
    const { bytes, spanCount } = record;
    account.requestsSent += 1;
    account.spansSent += spanCount;
    account.bytes += bytes.length;
    const outcome = await target.send({ chunks: [bytes], byteLength: bytes.length, spanCount, deadlineMs: Infinity });
    if (outcome.kind === 'accepted') {
      account.spansAccepted += spanCount;
      return;
    }
    account.requestsFailed += 1;
    account.spansFailed += spanCount;
    account.countFault(outcome.message);
  }
}
