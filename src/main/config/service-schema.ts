/** The top level of a configuration and its `service` section. Main thread. */

import { telemetrySchema } from '../telemetry/telemetry-config.ts';
import { anything, type Infer, list, map, object, string } from './fields.ts';

/** Sections are decoded one component at a time; here they only have to be there. */
export const rootSchema = object({
  receivers: anything().describe('Where data comes in, by id.'),
  processors: anything().describe('What happens to it, by id.'),
  exporters: anything().describe('Where it goes, by id.'),
  connectors: anything().describe('Not built.'),
  extensions: anything().describe('What stands beside the pipelines, by id.'),
  service: object({
    extensions: list(string()).describe('Ids of the extensions that run, in starting order.'),
    pipelines: map(object({ receivers: list(string()), processors: list(string()), exporters: list(string()) })).describe(
      'traces or traces/NAME: which components, in which order.',
    ),
    telemetry: telemetrySchema.describe("The process's own metrics and logs."),
  }),
});
export type RootConfig = Infer<typeof rootSchema>;
export type ServiceConfig = RootConfig['service'];
