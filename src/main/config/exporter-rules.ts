/** Canonicalisation of exporters: the logging exporter, TLS keys at their old place, a number as the DNS resolver's port. Main thread. */

import { isMap, isScalar, isSeq, type Node, YAMLMap } from 'yaml';
import { type CanonicalRule, itemsOf, mapAt, newPair, pairOf, plain, quoted, type RuleTarget, textOf } from './canonical-rule.ts';
import { scalarValue } from './yaml-source.ts';

const dnsPort: CanonicalRule = {
  name: 'number as the port of the dns resolver',
  apply(config) {
    for (const { map, path } of config.components('exporters', ['loadbalancing', 'load_balancing'])) {
      const pair = pairOf(mapAt(map, 'resolver', 'dns') ?? new YAMLMap(), 'port');
      const port = pair?.value;
      if (!isScalar(port) || typeof scalarValue(port) !== 'number') continue;
      const message = `the port is a text in the Collector, which refuses a number; read as "${port.value}"; canonical is port: "${port.value}"`;
      config.report('warning', port, [...path, 'resolver', 'dns', 'port'], message);
      const text = quoted(String(port.value));
      text.range = port.range ?? null;
      text.comment = port.comment ?? null;
      pair!.value = text;
    }
  },
};

const oldTlsKeys = ['insecure', 'insecure_skip_verify', 'ca_file', 'cert_file', 'key_file', 'server_name_override'];

/** Collectors before 0.46 had the TLS settings beside `otlp` or directly in it. */
const oldTls: CanonicalRule = {
  name: 'TLS settings at their old place',
  apply(config) {
    for (const { map, path } of config.components('exporters', ['loadbalancing', 'load_balancing'])) {
      const protocol = mapAt(map, 'protocol');
      if (protocol === undefined) continue;
      const pair = pairOf(protocol, 'otlp');
      for (const [holder, below] of [
        [protocol, ['protocol']],
        [mapAt(protocol, 'otlp'), ['protocol', 'otlp']],
      ] as const) {
        for (const old of [...(holder?.items ?? [])]) {
          const key = textOf(old.key as Node) ?? '';
          if (!oldTlsKeys.includes(key)) continue;
          const message = `${key} stood here in old Collectors; read as protocol.otlp.tls.${key}; canonical is otlp: { tls: { ${key}: ${textOf(old.value as Node) ?? ''} } }`;
          config.report('warning', old.key as Node, [...path, ...below, key], message);
          holder!.items = holder!.items.filter((other) => other !== old);
          if (pair !== undefined && !isMap(pair.value)) pair.value = new YAMLMap();
          else if (pair === undefined && !protocol.has('otlp')) protocol.items.push(newPair('otlp', new YAMLMap()));
          const otlp = mapAt(protocol, 'otlp')!;
          if (mapAt(otlp, 'tls') === undefined) otlp.set('tls', new YAMLMap());
          const tls = mapAt(otlp, 'tls')!;
          if (!tls.has(key)) tls.items.push(old);
        }
      }
    }
  },
};

const logging: CanonicalRule = {
  name: 'logging for debug',
  apply(config) {
    const exporters = mapAt(config.root, 'exporters');
    for (const pair of exporters?.items ?? []) {
      const id = textOf(pair.key as Node) ?? '';
      if (id !== 'logging' && !id.startsWith('logging/')) continue;
      const debugId = freeId(exporters!, `debug${id.slice('logging'.length)}`);
      const message = `the logging exporter has been deprecated, use the debug exporter instead; read as ${debugId}; canonical is ${debugId}`;
      config.report('warning', pair.key as Node, ['exporters', id], message);
      const key = plain(debugId);
      key.range = (pair.key as Node).range ?? null;
      pair.key = key;
      if (isMap(pair.value)) loglevelToVerbosity(pair.value);
      renameReferences(config, id, debugId);
    }
  },
};

function freeId(exporters: YAMLMap, wanted: string): string {
  if (!exporters.has(wanted)) return wanted;
  return exporters.has(`${wanted.replace('/', '/logging-')}`) || !wanted.includes('/')
    ? `${wanted}${wanted.includes('/') ? '-' : '/'}logging`
    : wanted.replace('/', '/logging-');
}

/** `loglevel: debug` printed everything; the other levels a line per batch. */
function loglevelToVerbosity(map: YAMLMap): void {
  const pair = pairOf(map, 'loglevel') ?? pairOf(map, 'logLevel');
  if (pair === undefined) return;
  if (map.has('verbosity')) {
    map.items = map.items.filter((other) => other !== pair);
    return;
  }
  const key = plain('verbosity');
  key.range = pair.key.range ?? null;
  pair.key = key;
  pair.value = plain(textOf(pair.value)?.toLowerCase() === 'debug' ? 'detailed' : 'basic');
}

function renameReferences(config: RuleTarget, from: string, to: string): void {
  for (const pipeline of mapAt(config.root, 'service', 'pipelines')?.items ?? []) {
    if (!isMap(pipeline.value)) continue;
    for (const [index, item] of itemsOf(pipeline.value, 'exporters').entries()) {
      if (textOf(item) !== from) continue;
      const list = pipeline.value.get('exporters', true);
      const renamed = plain(to);
      renamed.range = item.range ?? null;
      if (isSeq(list)) list.items[index] = renamed;
    }
  }
}

export const exporterRules: readonly CanonicalRule[] = [dnsPort, oldTls, logging];
