/** Chooses the implementation of the gRPC client. Main thread. */

import { isIP } from 'node:net';
import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import type { GrpcUnaryClient } from './grpc-unary-client.ts';
import { Http2Client } from './http2-client.ts';
import { RoundRobinClient } from './round-robin-client.ts';

export type GrpcClientFactory = (settings: GrpcClientSettings, options: GrpcClientOptions) => GrpcUnaryClient;

export const createGrpcClient: GrpcClientFactory = (settings, options) => {
  const { target, roundRobin } = options;
  if (roundRobin !== true || target.kind !== 'tcp' || isIP(target.host) !== 0) return new Http2Client(settings, options);
  return new RoundRobinClient(settings, { ...options, target }, (childOptions) => new Http2Client(settings, childOptions));
};
