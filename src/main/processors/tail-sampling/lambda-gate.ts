/** Finds OTTL conditions with lambdas, which the Collector takes only under a feature gate. Main thread. */

import { systemClock } from '../../../shared/clock.ts';
import type { PolicyConfig } from '../../../shared/policy-config.ts';
import { compileConditions, OttlFault } from '../../../workers/ottl/compile-conditions.ts';
import type { ConfigFault } from '../../config/config-fault.ts';

type Path = readonly (string | number)[];

/** Conditions that do not compile with `featureGates`; those that compile with no gate at all have been refused when they were read. */
export function lambdaFaults(policies: readonly PolicyConfig[], featureGates: ReadonlySet<string>): ConfigFault[] {
  return policies.flatMap((policy, index) => faultsOf(policy, policy.name, ['policies', index], featureGates));
}

function faultsOf(policy: PolicyConfig, name: string, path: Path, gates: ReadonlySet<string>): ConfigFault[] {
  const below = (subs: readonly PolicyConfig[], key: string) =>
    subs.flatMap((sub, index) => faultsOf(sub, name, [...path, policy.type, key, index], gates));
  switch (policy.type) {
    case 'ottl_condition':
      return (['span', 'spanevent'] as const).flatMap((context) =>
        policy[context].flatMap((text, index) => {
          const outcome = compileConditions([text], context, { featureGates: gates, clock: systemClock });
          if (!(outcome instanceof OttlFault)) return [];
          const message = `failed to create policy evaluator for ${JSON.stringify(name)}: ${outcome.message}`;
          return [{ severity: 'error', path: [...path, policy.type, context, index], message } as const];
        }),
      );
    case 'and':
    case 'drop':
    case 'composite':
      return below(policy.subPolicies, `${policy.type}_sub_policy`);
    case 'not':
      return faultsOf(policy.subPolicy, name, [...path, 'not', 'not_sub_policy'], gates);
    default:
      return [];
  }
}
