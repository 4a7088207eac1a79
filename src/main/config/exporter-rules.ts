/** Canonicalisation of exporters: the logging exporter, TLS keys at their old place, a number as the DNS resolver's port. Main thread. */

import { isMap, isScalar, isSeq, type Node, YAMLMap } from 'yaml';
import { type CanonicalRule, itemsOf, mapAt, newPair, pairOf, plain, quoted, type RuleTarget, textOf } from './canonical-rule.ts';
import type { ConfigPath } from './config-fault.ts';
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
      moveTls(config, protocol, protocol, [...path, 'protocol']);
      const otlp = mapAt(protocol, 'otlp');
      if (otlp !== undefined) moveTls(config, otlp, protocol, [...path, 'protocol', 'otlp']);
    }
  },
};

function moveTls(config: RuleTarget, from: YAMLMap, protocol: YAMLMap, path: ConfigPath): void {
  for (const old of from.items.filter((pair) => oldTlsKeys.includes(textOf(pair.key as Node) ?? ''))) {
    const key = textOf(old.key as Node)!;
    const canonical = `otlp: { tls: { ${key}: ${textOf(old.value as Node) ?? ''} } }`;
    const message = `${key} stood here in old Collectors; read as protocol.otlp.tls.${key}; canonical is ${canonical}`;
    config.report('warning', old.key as Node, [...path, key], message);
    from.items = from.items.filter((other) => other !== old);
    const tls = blockAt(blockAt(protocol, 'otlp'), 'tls');
    if (!tls.has(key)) tls.items.push(old);
  }
}

/** The block under `key`; an empty one is put there in place of nothing or null. */
function blockAt(map: YAMLMap, key: string): YAMLMap {
  const existing = mapAt(map, key);
  if (existing !== undefined) return existing;
  const pair = newPair(key, new YAMLMap());
  map.items = [...map.items.filter((other) => textOf(other.key as Node) !== key), pair];
  return pair.value as YAMLMap;
}

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
