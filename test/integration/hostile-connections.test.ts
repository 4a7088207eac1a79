/** Connections that mean harm, against a real process: very many, and very slow ones. */

import t from 'tap';
import { standSieges } from '../support/hostile-rig.ts';

t.test('an honest client keeps four fifths of its rate under', (t) =>
  standSieges(t, [
    ['300 calls that trickle', 'grpc', 'slow calls'],
    ['300 posts that trickle', 'http', 'slow posts'],
    ['10,000 idle connections', 'grpc', 'idle connections'],
  ]),
);
