/** Judges connectors, none of which is built: which may be left out with the pipelines that they feed, and which are needed. Main thread. */

import type { BindOptions } from './bind-configuration.ts';
import { idList, isTraces, pipelinesOf } from './bind-service.ts';
import type { ConfigFault } from './config-fault.ts';
import { isRawMap, type RawMap, resolved } from './raw-value.ts';

export interface BoundConnectors {
  /** Ids that are configured: a pipeline that names one names something. */
  readonly known: ReadonlySet<string>;
  /** Left out with a warning: what they feed is left out too. */
  readonly leftOut: ReadonlySet<string>;
}

/** A connector that a pipeline of traces exports to is needed, unless `--traces-only` leaves out everything that it feeds. */
export function bindConnectors(raw: RawMap, options: BindOptions, faults: ConfigFault[]): BoundConnectors {
  const written = resolved(raw.connectors);
  const known = new Set(isRawMap(written) ? Object.keys(written).map((id) => id.trim()) : []);
  const leftOut = new Set<string>();
  const traces = pipelinesOf(raw).filter(([key]) => isTraces(key));
  for (const id of known) {
    const path = ['connectors', id];
    const feedsTraces = traces.some(([, pipeline]) => idList(pipeline.receivers).includes(id));
    const isFed = traces.some(([, pipeline]) => idList(pipeline.exporters).includes(id));
    if (feedsTraces) {
      const message = `the connector ${id} feeds pipelines of traces, and connectors are not built; list the receivers and processors in one pipeline per exporter instead`;
      faults.push({ severity: 'error', path, message });
    } else if (!isFed || options.tracesOnly === true) {
      leftOut.add(id);
      faults.push({ severity: 'warning', path, message: `the connector ${id} is left out: it feeds no pipeline of traces` });
    } else {
      const message = `the connector ${id} is not built: Ringtail runs pipelines of traces from receivers to exporters; run it in a Collector in front, or start with --traces-only to leave it out`;
      faults.push({ severity: 'error', path, message });
    }
  }
  return { known, leftOut };
}
