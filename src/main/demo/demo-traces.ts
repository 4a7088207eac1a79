/** The three kinds of traces that the demo sends: a shop's order that fails, is slow, or goes well. Pure. */

import { localParentFlags, SpanKind, SpanStatus, SpanTemplate } from '../loadgen/span-template.ts';
import type { PlannedSpan, TracePlan } from '../loadgen/trace-plan.ts';

export const demoKinds = ['error', 'slow', 'normal'] as const;
export type DemoKind = (typeof demoKinds)[number];

/** The services that take part in every trace; each is a client of its own that sends its own spans. */
export const demoServices = ['shop', 'stock', 'payment'] as const;
const [shop, stock, payment] = [0, 1, 2];

const ms = 1_000_000;
const orderMs = 120;
const slowOrderMs = 2_000;
const slowCallMs = 1_800;
const callMs = 4;

/**
 * A trace of `spanCount` spans, at least one of each service; span i is that of service i mod 3.
 *
 * error:  the payment fails, and the order with it: two spans of two services have the status ERROR, all others have none.
 * slow:   one call of the stock takes 1.8 s, so the order takes 2 s; all other spans take milliseconds.
 * normal: neither.
 */
export function demoPlan(kind: DemoKind, spanCount: number): TracePlan & { readonly kind: DemoKind } {
  const wholeMs = kind === 'slow' ? slowOrderMs : orderMs;
  const calls: PlannedSpan[] = [];
  for (let index = 1; index < spanCount; index++) {
    const service = index % demoServices.length;
    const isFirst = index < demoServices.length;
    const isSlow = kind === 'slow' && isFirst && service === stock;
    const isFailed = kind === 'error' && isFirst && service === payment;
    const startMs = Math.min(index * callMs, wholeMs - callMs);
    calls.push({
      template: new SpanTemplate({
        name: `call-${index}`,
        kind: SpanKind.server,
        hasParent: true,
        attributes: [['rpc.system', 'grpc']],
        status: isFailed ? SpanStatus.error : SpanStatus.unset,
        flags: localParentFlags,
        linkCount: 0,
      }),
      service,
      isRoot: false,
      startNanos: startMs * ms,
      endNanos: (startMs + (isSlow ? slowCallMs : callMs)) * ms,
    });
  }
  const root: PlannedSpan = {
    template: new SpanTemplate({
      name: 'order',
      kind: SpanKind.server,
      hasParent: false,
      attributes: [['http.request.method', 'POST']],
      status: kind === 'error' ? SpanStatus.error : SpanStatus.unset,
      flags: localParentFlags,
      linkCount: 0,
    }),
    service: shop,
    isRoot: true,
    startNanos: 0,
    endNanos: wholeMs * ms,
  };
  return { kind, spans: [...calls, root] };
}
