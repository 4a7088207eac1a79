/** All converters that the Collector v0.161 registers for conditions, by name. Any thread. */

import { type Converter, converter } from '../converter.ts';
import { dynamicGetter } from '../getter.ts';
import { bytesAt } from '../span-view.ts';
import { isZero } from '../values.ts';
import { collectionConverters } from './collections.ts';
import { decodeConverters } from './decode.ts';
import { formatConverters } from './format.ts';
import { grokConverters } from './grok.ts';
import { idConverters } from './ids-and-hashes.ts';
import { lambdaConverters } from './lambdas.ts';
import { networkConverters } from './network.ts';
import { parsingConverters } from './parsing.ts';
import { patternConverters } from './regular-expressions.ts';
import { stringConverters } from './strings.ts';
import { timeTextConverters } from './time-text.ts';
import { timeConverters } from './times.ts';
import { typeConverters } from './type-checks.ts';
import { userAgentConverters } from './user-agent.ts';
import { xmlConverters } from './xml.ts';

export const standardConverters: ReadonlyMap<string, Converter> = new Map(
  [
    collectionConverters,
    decodeConverters,
    formatConverters,
    grokConverters,
    idConverters,
    lambdaConverters,
    networkConverters,
    parsingConverters,
    patternConverters,
    stringConverters,
    timeConverters,
    timeTextConverters,
    typeConverters,
    userAgentConverters,
    xmlConverters,
  ].flatMap((converters) => converters.map((each) => [each.name, each] as const)),
);

/** In conditions on spans alone. */
export const isRootSpan: Converter = converter('IsRootSpan', [], () =>
  dynamicGetter((view) => isZero(bytesAt(view.bytes, view.field(4), view.spanTo))),
);
