/** The flags of `ringtail loadgen`: telemetrygen's names, meanings and defaults, then ours. Pure. */

import { nanosecondsToMs, parseDuration } from '../config/duration.ts';
import { FlagValueError, parseAttributeFlag } from './attribute-flag.ts';
import { SpanStatus } from './span-template.ts';
import type { Attributes, AttributeValue } from './wire-writer.ts';

/** How a flag's text becomes a value; `previous` is there when the flag is repeated. */
export interface LoadgenFlag {
  /** As commander reads them: `--name <value>`; `[bool]` may stand alone. */
  readonly flags: string;
  readonly description: string;
  readonly parse: (text: string, previous: unknown) => unknown;
  readonly initial: unknown;
}

/** What the flags come to. Durations are milliseconds. */
export interface LoadgenOptions {
  readonly workers: number;
  readonly rate: number;
  readonly duration: number;
  readonly traces: number;
  readonly interval: number;
  readonly timeout: number;
  readonly otlpEndpoint: readonly string[];
  readonly otlpInsecure: boolean;
  readonly otlpInsecureSkipVerify: boolean;
  readonly caCert: string;
  readonly mtls: boolean;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly otlpHttp: boolean;
  readonly otlpHttpUrlPath: string;
  readonly otlpHeader: Attributes;
  readonly otlpAttributes: Attributes;
  readonly telemetryAttributes: Attributes;
  readonly service: string;
  readonly childSpans: number;
  readonly statusCode: SpanStatus;
  readonly spanLinks: number;
  readonly spanDuration: number;
  readonly marshal: boolean;
  readonly size: number;
  readonly batch: boolean;
  readonly batchSize: number;
  readonly allowExportFailures: boolean;
  readonly mix: readonly MixShare[];
  readonly slowDuration: number;
  readonly services: number;
  readonly spans: number;
  readonly retryFor: number;
  readonly seed: number;
  readonly replay: string;
  readonly json: string;
}

export interface MixShare {
  readonly kind: 'error' | 'slow';
  readonly percent: number;
}

export const loadgenFlags: readonly LoadgenFlag[] = [
  flag('--workers <count>', 'workers that make traces', count, 1),
  flag('--rate <spans>', 'spans per second of each worker; 0 is without limit', amount, 1),
  flag('--duration <duration>', 'how long to run, or inf; goes before --traces', durationOrInf, 0),
  flag('--traces <count>', 'traces of each worker', count, 0),
  flag('--interval <duration>', 'time between progress lines', duration, 1_000),
  flag('--timeout <duration>', 'time limit of one request', duration, 10_000),
  flag('--otlp-endpoint <address>', 'where to send; may repeat: each request goes to the next one', listed, []),
  flag('--otlp-insecure [bool]', 'without TLS', bool, false),
  flag('--otlp-insecure-skip-verify [bool]', 'do not verify the server’s certificate', bool, false),
  flag('--ca-cert <file>', 'authority to trust', String, ''),
  flag('--mtls [bool]', 'show a client certificate', bool, false),
  flag('--client-cert <file>', 'client certificate', String, ''),
  flag('--client-key <file>', 'its key', String, ''),
  flag('--otlp-http [bool]', 'OTLP/HTTP instead of gRPC', bool, false),
  flag('--otlp-http-url-path <path>', 'path of OTLP/HTTP', String, '/v1/traces'),
  flag('--otlp-header <key="value">', 'header of every request; may repeat', attribute, []),
  flag('--otlp-attributes <key="value">', 'resource attribute; may repeat', attribute, []),
  flag('--telemetry-attributes <key="value">', 'span attribute; may repeat', attribute, []),
  flag('--service <name>', 'service.name', String, 'telemetrygen'),
  flag('--child-spans <count>', 'spans of each trace beside the root, at least 1', count, 1),
  flag('--status-code <code>', 'Unset, Error, Ok or 0, 1, 2, of every span', statusCode, SpanStatus.unset),
  flag('--span-links <count>', 'links of each span to earlier ones', count, 0),
  flag('--span-duration <duration>', 'duration of each child span', duration, 0.123),
  flag('--marshal [bool]', 'mark the children’s parent as remote', bool, false),
  flag('--size <MiB>', 'padding of each root span', count, 0),
  flag('--batch [bool]', 'false: each span in a request of its own', bool, true),
  flag('--batch-size <spans>', 'spans per request', count, 100),
  flag('--allow-export-failures [bool]', 'exit 0 although requests failed', bool, false),
  flag('--mix <kind=percent,…>', 'percent of traces that are error or slow instead, such as error=1,slow=2', mix, []),
  flag('--slow-duration <duration>', 'duration of slow traces in a mix', duration, 2_000),
  flag('--services <count>', 'spread each trace over so many services, each in requests of its own', count, 1),
  flag('--spans <count>', 'spans of each trace, the root included; goes before --child-spans', count, 0),
  flag('--retry-for <duration>', 'how long a request that was refused for now is sent again; 0 is not at all', duration, 60_000),
  flag('--seed <number>', 'make the same ids in every run; 0 is other ones', count, 0),
  flag(
    '--replay <file>',
    'send what a file exporter wrote there instead, as fast as it is taken, --workers requests at a time',
    String,
    '',
  ),
  flag('--json <file>', 'write the report there', String, ''),
];

function flag(flags: string, description: string, parse: LoadgenFlag['parse'], initial: unknown): LoadgenFlag {
  return { flags, description, parse, initial };
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0) || value === Infinity) throw new FlagValueError('write a number from 0 on');
  return value;
}

function count(text: string): number {
  const value = amount(text);
  if (!Number.isSafeInteger(value)) throw new FlagValueError('write a whole number');
  return value;
}

function bool(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new FlagValueError('write true or false');
}

function duration(text: string): number {
  const outcome = parseDuration(text);
  if (outcome.kind === 'malformed') throw new FlagValueError(outcome.message);
  if (outcome.nanoseconds < 0n) throw new FlagValueError('a duration is not negative');
  return nanosecondsToMs(outcome.nanoseconds);
}

function durationOrInf(text: string): number {
  return text.toLowerCase() === 'inf' ? Infinity : duration(text);
}

function listed(text: string, previous: unknown): readonly string[] {
  return [...(previous as readonly string[]), text];
}

function attribute(text: string, previous: unknown): Attributes {
  const [key, value] = parseAttributeFlag(text);
  return [...(previous as [string, AttributeValue][]).filter(([earlier]) => earlier !== key), [key, value]];
}

const statusCodes: Readonly<Record<string, SpanStatus>> = {
  '': SpanStatus.unset,
  '0': SpanStatus.unset,
  unset: SpanStatus.unset,
  '1': SpanStatus.error,
  error: SpanStatus.error,
  '2': SpanStatus.ok,
  ok: SpanStatus.ok,
};

/** telemetrygen's numbers are not those of OTLP. */
function statusCode(text: string): SpanStatus {
  const status = statusCodes[text.toLowerCase()];
  if (status !== undefined) return status;
  const message = `expected \`status-code\` to be one of (Unset, Error, Ok) or (0, 1, 2), got ${JSON.stringify(text)} instead`;
  throw new FlagValueError(message);
}

function mix(text: string): readonly MixShare[] {
  const shares = text.split(',').map((part): MixShare => {
    const [kind, percent = ''] = part.trim().split('=');
    if (kind !== 'error' && kind !== 'slow') throw new FlagValueError(`unknown kind ${JSON.stringify(kind)}; write error=1,slow=2`);
    return { kind, percent: amount(percent.replace('%', '')) };
  });
  if (new Set(shares.map((share) => share.kind)).size < shares.length) throw new FlagValueError('a kind is named twice');
  if (shares.reduce((sum, share) => sum + share.percent, 0) > 100) throw new FlagValueError('more than 100 percent');
  return shares;
}

/** What no flag can tell alone. Errors: a sentence. */
export function checkLoadgenOptions(options: LoadgenOptions): string | undefined {
  if (options.replay === '' && options.duration === 0 && options.traces === 0)
    return 'either `traces` or `duration` must be greater than 0';
  if (options.workers < 1 || options.services < 1 || options.batchSize < 1) return '--workers, --services and --batch-size are at least 1';
  if (options.spans === 1) return '--spans is at least 2: a root and a child';
  if (options.mtls && (options.clientCert === '' || options.clientKey === '')) return '--mtls needs --client-cert and --client-key';
  return undefined;
}
