/** The appended scope field decodes as attributes of the scope that was there. */

import t from 'tap';
import { scopeSpans } from '../../../src/shared/otlp/messages.ts';
import { Trigger } from '../../../src/workers/policies/compiled-policies.ts';
import { scopeFieldFor } from '../../../src/workers/policies/scope-attributes.ts';
import { concat, keyValueBytes, lengthField, spanBytes, traceIdOf, utf8 } from '../../support/otlp.ts';

const source = concat(
  lengthField(1, concat(lengthField(1, utf8('my-scope')), lengthField(3, keyValueBytes('own', 'value')))),
  lengthField(2, spanBytes({ traceId: traceIdOf(1) })),
);

const scopeOf = (bytes: Uint8Array) => scopeSpans.toObject(scopeSpans.decode(bytes)).scope;
const attribute = (key: string, value: object) => ({ key, value });

t.test('a kept span names the policy, the sub-policy, the trigger and that it was late', (t) => {
  const long = 'p'.repeat(300);
  const field = scopeFieldFor({ policy: long, compositePolicy: 'sub', isLate: true, trigger: Trigger.root });
  t.same(scopeOf(concat(source, field)), {
    name: 'my-scope',
    attributes: [
      attribute('own', { stringValue: 'value' }),
      attribute('tailsampling.policy', { stringValue: long }),
      attribute('tailsampling.composite_policy', { stringValue: 'sub' }),
      attribute('tailsampling.cached_decision', { boolValue: true }),
      attribute('tailsampling.trigger', { stringValue: 'root' }),
    ],
  });
  t.end();
});

t.test('a late span of a decision without a policy says only that it is late; nothing to say is no bytes', (t) => {
  t.same(scopeOf(scopeFieldFor({ policy: '', isLate: true })), {
    attributes: [attribute('tailsampling.cached_decision', { boolValue: true })],
  });
  t.equal(scopeFieldFor({ policy: '', isLate: false }).length, 0);
  t.end();
});
