/** The seam between the receiver and whatever speaks gRPC: grpc-js, or our own framing on node:http2. Main thread. */

import type { Clock } from '../../../shared/clock.ts';
import type { Prng } from '../../../shared/prng.ts';
import type { RequestMetadata } from '../../pipeline/component.ts';
import type { ConsumeOutcome } from '../../pipeline/consume-outcome.ts';
import type { ServerAuthenticator } from '../../pipeline/server-authenticator.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ListenAddress } from '../../transport/listen-address.ts';
import type { GrpcServerConfig } from './config.ts';
import type { RefusalReason } from './intake.ts';

export const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** An empty ExportTraceServiceResponse is no bytes at all. */
export const emptyMessage = Buffer.alloc(0);

/** Content encodings of gRPC messages that both servers take. */
export const streamWindowBytes = 4 << 20;
export const sessionWindowBytes = 16 << 20;

export interface GrpcServerSettings {
  readonly config: GrpcServerConfig;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  /** Undefined: nobody is asked. */
  readonly authenticator: ServerAuthenticator | undefined;
  /** One complete, uncompressed message; the chunks are free again when the call returns its promise. */
  exportTraces(chunks: readonly Uint8Array[], byteLength: number, metadata: RequestMetadata | undefined): Promise<ConsumeOutcome>;
  /** Counts a call that ends before the pipeline sees it. */
  countRefusal(reason: RefusalReason): void;
}

/** Life as a component's: `drain` stops intake and waits for calls under way, `stop` cuts what is left. */
export interface GrpcServerTransport {
  /** Errors: whatever the system says about the address, and TlsLoadError. */
  start(): Promise<ListenAddress>;
  /** Units: `deadlineMs` is on the monotonic clock. */
  drain(deadlineMs: number): Promise<void>;
  stop(): Promise<void>;
}

export type GrpcServerFactory = (settings: GrpcServerSettings) => GrpcServerTransport;
