/** Every component type that is built into Ringtail: what a configuration may name. Main thread. */

import { debugExporterType } from '../exporters/debug/debug-exporter.ts';
import { nopExporterType } from '../exporters/nop/nop-exporter.ts';
import { healthCheckExtensionType } from '../extensions/health-check.ts';
import { batchProcessorType } from '../processors/batch/batch-processor.ts';
import { memoryLimiterProcessorType } from '../processors/memory-limiter/memory-limiter-processor.ts';
import type { ComponentType } from './component.ts';

export const componentTypes: readonly ComponentType[] = Object.freeze([
  memoryLimiterProcessorType,
  batchProcessorType,
  debugExporterType,
  nopExporterType,
  healthCheckExtensionType,
]);
