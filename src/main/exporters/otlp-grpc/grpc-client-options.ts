/** What either implementation of the gRPC client is told at creation. Main thread. */

import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../../../shared/clock.ts';
import type { Prng } from '../../../shared/prng.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { GrpcTarget } from './grpc-target.ts';

export interface GrpcClientSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
}

export type GrpcEncoding = 'identity' | 'gzip' | 'zstd' | 'snappy';

export interface KeepaliveOptions {
  /** Silence after which a ping is sent. */
  readonly timeMs: number;
  /** Silence after a ping after which the connection is given up. */
  readonly timeoutMs: number;
  readonly permitWithoutStream: boolean;
}

export interface GrpcClientOptions {
  readonly target: GrpcTarget;
  /** Undefined: no TLS. */
  readonly tls: ConnectionOptions | undefined;
  readonly encoding: GrpcEncoding;
  /** Empty: the target's own. */
  readonly authority: string;
  readonly userAgent: string;
  readonly keepalive: KeepaliveOptions | undefined;
  /** Calls wait for a connection until their deadline instead of failing at once while there is none. */
  readonly waitForReady: boolean;
  /** Longest wait between attempts to connect. */
  readonly reconnectMsMax: number;
  /** A name with several addresses: calls go to all of them in turn. Otherwise one connection, to whichever answers. */
  readonly roundRobin?: boolean;
  /** A connection has ended or takes no more calls. */
  onDisconnected?(): void;
  /** Method that is called; not given: OTLP's Export. */
  readonly path?: string;
}
