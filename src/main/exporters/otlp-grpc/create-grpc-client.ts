/** Chooses the implementation of the gRPC client. Main thread. */

import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import { GrpcJsClient } from './grpc-js-client.ts';
import type { GrpcUnaryClient } from './grpc-unary-client.ts';

export type GrpcClientFactory = (settings: GrpcClientSettings, options: GrpcClientOptions) => GrpcUnaryClient;

export const createGrpcClient: GrpcClientFactory = (settings, options) => new GrpcJsClient(settings, options);
