/** Every component type that is built into Ringtail: what a configuration may name. Main thread. */

import { debugExporterType } from '../exporters/debug/debug-exporter.ts';
import { fileExporterType } from '../exporters/file/file-exporter.ts';
import { googleCloudExporterType } from '../exporters/googlecloud/googlecloud-exporter.ts';
import { loadBalancingExporterType } from '../exporters/loadbalancing/load-balancing-exporter.ts';
import { nopExporterType } from '../exporters/nop/nop-exporter.ts';
import { otlpGrpcExporterType } from '../exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { otlpHttpExporterType } from '../exporters/otlp-http/otlp-http-exporter.ts';
import { basicAuthExtensionType } from '../extensions/basic-auth.ts';
import { bearerTokenAuthExtensionType } from '../extensions/bearer-token-auth.ts';
import { fileStorageExtensionType } from '../extensions/file-storage.ts';
import { healthCheckExtensionType } from '../extensions/health-check.ts';
import { pprofExtensionType } from '../extensions/pprof.ts';
import { batchProcessorType } from '../processors/batch/batch-processor.ts';
import { memoryLimiterProcessorType } from '../processors/memory-limiter/memory-limiter-processor.ts';
import { tailSamplingProcessorType } from '../processors/tail-sampling/tail-sampling-processor.ts';
import { nopReceiverType } from '../receivers/nop/nop-receiver.ts';
import { otlpReceiverType } from '../receivers/otlp/otlp-receiver.ts';
import type { ComponentType } from './component.ts';

export const componentTypes: readonly ComponentType[] = Object.freeze([
  otlpReceiverType,
  nopReceiverType,
  memoryLimiterProcessorType,
  tailSamplingProcessorType,
  batchProcessorType,
  loadBalancingExporterType,
  otlpGrpcExporterType,
  otlpHttpExporterType,
  debugExporterType,
  fileExporterType,
  googleCloudExporterType,
  nopExporterType,
  healthCheckExtensionType,
  pprofExtensionType,
  basicAuthExtensionType,
  bearerTokenAuthExtensionType,
  fileStorageExtensionType,
]);
