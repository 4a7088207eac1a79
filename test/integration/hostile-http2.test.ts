/** HTTP/2 clients that mean harm, against a real process: it stays up, its memory stays bounded, an honest client keeps its rate. */

import t from 'tap';
import { standSieges } from '../support/hostile-rig.ts';

t.test('an honest client keeps four fifths of its rate under', (t) =>
  standSieges(t, [
    ['floods: rapid reset, pings, SETTINGS', 'grpc', 'rapid reset', 'pings', 'settings'],
    ['CONTINUATION without end, window games, empty frames', 'grpc', 'continuation', 'windows', 'empty frames'],
    ['header bombs, noise, and calls cut off in every state', 'grpc', 'hpack bomb', 'noise', 'resets'],
    ['answers that nobody reads or lets come', 'grpc', 'answers without a window', 'answers unread'],
  ]),
);
