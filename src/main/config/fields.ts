/** The vocabulary in which components declare their configuration: zod shapes with the Collector's decoding rules. Main thread. */

import type { z } from 'zod';

/** A component's configuration as a zod schema: input is the YAML value (undefined or null when the user wrote nothing), output is complete, defaults filled in. */
export type FieldSchema<Config> = z.ZodType<Config>;
