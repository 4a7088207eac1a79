/** Chooses the placement that a configuration names. Any thread. */

import { assertNever } from '../shared/assert-never.ts';
import { createOtelcolRing, type OtelcolRingSettings } from './otelcol-ring.ts';
import type { Placement } from './placement.ts';
import { createSlotTable } from './slot-table.ts';

/** `slots`: even and cheap, the default. `otelcol`: the Collector's ring, for fleets in which Collectors route too. */
export type PlacementHash = 'slots' | 'otelcol';

/** `ringNameOf` is the resolver's; only `otelcol` asks for it. */
export function placementOf(hash: PlacementHash, endpoints: readonly string[], ringNameOf?: OtelcolRingSettings['ringNameOf']): Placement {
  switch (hash) {
    case 'slots':
      return createSlotTable(endpoints);
    case 'otelcol':
      return createOtelcolRing(endpoints, ringNameOf ? { ringNameOf } : {});
    default:
      return assertNever(hash);
  }
}
