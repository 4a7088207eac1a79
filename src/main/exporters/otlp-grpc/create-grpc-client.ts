/** Chooses the implementation of the gRPC client. Main thread. */

import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import type { GrpcUnaryClient } from './grpc-unary-client.ts';
import { Http2Client } from './http2-client.ts';

export type GrpcClientFactory = (settings: GrpcClientSettings, options: GrpcClientOptions) => GrpcUnaryClient;

export const createGrpcClient: GrpcClientFactory = (settings, options) => new Http2Client(settings, options);
