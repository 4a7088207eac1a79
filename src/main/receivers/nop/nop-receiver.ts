/** The `nop` receiver: receives nothing; lets a configuration be tried without ports. Main thread. */

import { type Infer, object } from '../../config/fields.ts';
import type { ReceiverType } from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';

export const nopReceiverSchema = object({});
export type NopReceiverConfig = Infer<typeof nopReceiverSchema>;

export const nopReceiverType: ReceiverType<NopReceiverConfig> = {
  kind: 'receiver',
  type: 'nop',
  schema: nopReceiverSchema,
  create() {
    const life = new ComponentLife({});
    return { start: () => life.start(), drain: (deadlineMs) => life.drain(deadlineMs), stop: () => life.stop() };
  },
};
