/** The trace that telemetrygen makes: one `lets-go` and its `okey-dokey-N`. Source: cmd/telemetrygen of opentelemetry-collector-contrib v0.161. Pure. */

import { localParentFlags, remoteParentFlags, SpanKind, type SpanShape, type SpanStatus, SpanTemplate } from './span-template.ts';
import type { PlannedSpan, TracePlan } from './trace-plan.ts';
import type { Attributes } from './wire-writer.ts';

export interface TelemetrygenPlanSettings {
  readonly kind: string;
  readonly childSpans: number;
  readonly status: SpanStatus;
  /** Units: nanoseconds, of each child. */
  readonly spanDurationNanos: number;
  readonly attributes: Attributes;
  readonly spanLinks: number;
  /** MiB of padding on the root. */
  readonly sizeMib: number;
  readonly remoteParent: boolean;
  readonly services: number;
}

const paddingBytes = 1024 * 1024;

export function telemetrygenPlan(settings: TelemetrygenPlanSettings): TracePlan {
  const children = Math.max(1, settings.childSpans);
  const duration = settings.spanDurationNanos;
  const spans: PlannedSpan[] = [];
  for (let index = 0; index < children; index++) {
    const shape: SpanShape = {
      name: `okey-dokey-${index}`,
      kind: SpanKind.server,
      hasParent: true,
      attributes: withPeer('telemetrygen-client', settings.attributes),
      status: settings.status,
      flags: settings.remoteParent ? remoteParentFlags : localParentFlags,
      linkCount: 0,
    };
    const times = { startNanos: index * duration, endNanos: (index + 1) * duration };
    spans.push({ ...templates(shape, settings.spanLinks), ...times, isRoot: false, service: (index + 1) % settings.services });
  }
  const padding: Attributes = Array.from({ length: settings.sizeMib }, (_, index) => [`load-${index}`, '\0'.repeat(paddingBytes)]);
  const root: SpanShape = {
    name: 'lets-go',
    kind: SpanKind.client,
    hasParent: false,
    attributes: [...withPeer('telemetrygen-server', settings.attributes), ...padding],
    status: settings.status,
    flags: localParentFlags,
    linkCount: 0,
  };
  spans.push({ ...templates(root, settings.spanLinks), startNanos: 0, endNanos: children * duration, isRoot: true, service: 0 });
  return { kind: settings.kind, spans };
}

function templates(shape: SpanShape, linkCount: number): { template: SpanTemplate; linked?: SpanTemplate } {
  const template = new SpanTemplate(shape);
  return linkCount > 0 ? { template, linked: new SpanTemplate({ ...shape, linkCount }) } : { template };
}

/** A later value of a key takes the place of an earlier one, as in the SDK. */
function withPeer(peer: string, attributes: Attributes): Attributes {
  return [...new Map([['network.peer.address', '1.2.3.4'], ['service.peer.name', peer], ...attributes])];
}
