/** Bodies that mean harm, against a real process: corrupt, bombs, too large, costly to read. */

import t from 'tap';
import { standSieges } from '../support/hostile-rig.ts';

t.test('an honest client keeps four fifths of its rate under', (t) =>
  standSieges(t, [
    ['corrupt gzip and zstd, and decompression bombs, in calls', 'grpc', 'corrupt calls', 'call bombs'],
    ['corrupt gzip and zstd, and decompression bombs, in posts', 'http', 'corrupt posts', 'post bombs'],
    ['posts that are too large', 'http', 'oversize posts'],
    ['JSON of nothing but brackets, of empty objects, and cut off', 'http', 'json posts'],
  ]),
);
