/** The `nop` exporter: takes everything and does nothing with it. Main thread. */

import { type Infer, object } from '../../config/fields.ts';
import type { ExporterType } from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { accepted } from '../../pipeline/consume-outcome.ts';

export const nopSchema = object({});
export type NopConfig = Infer<typeof nopSchema>;

export const nopExporterType: ExporterType<NopConfig> = {
  kind: 'exporter',
  type: 'nop',
  schema: nopSchema,
  create() {
    const life = new ComponentLife({});
    return {
      start: () => life.start(),
      drain: (deadlineMs) => life.drain(deadlineMs),
      stop: () => life.stop(),
      consume: () => Promise.resolve(accepted),
    };
  },
};
