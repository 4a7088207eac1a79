/** Fuzz target "http": whatever an OTLP/HTTP request is, it gets one answer of a known status, and nothing of it is held afterwards. */

import { strict as assert } from 'node:assert';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { accepted, type ConsumeOutcome, GrpcStatus, refusedPermanent, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { type ExchangeHost, HttpExchange } from '../../src/main/receivers/otlp/http-exchange.ts';
import { UploadBudget } from '../../src/main/receivers/otlp/upload-budget.ts';
import { type Encoding, encodings } from '../../src/main/transport/compression/decompress.ts';
import { jsonTextOf } from '../../src/shared/otlp/json-text.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { mutateBytes } from '../support/mutate.ts';
import { Dice, randomRequest } from '../support/otlp.ts';
import type { AsyncFuzzTarget } from './run.ts';

/** Statuses that the Collector's receiver has. */
const statuses = new Set([200, 400, 401, 403, 404, 405, 415, 429, 500, 503]);
const bodyBytesMax = 20_000;

class FakeRequest extends EventEmitter {
  readonly headers: Record<string, string>;
  readonly method: string;
  readonly url: string;
  readonly httpVersionMajor = 1;
  complete = false;
  readonly socket = new EventEmitter();
  constructor(method: string, url: string, headers: Record<string, string>) {
    super();
    this.method = method;
    this.url = url;
    this.headers = headers;
  }
  resume = () => this;
  pause = () => this;
  destroy = () => this;
}

class FakeResponse extends EventEmitter {
  status = 0;
  ends = 0;
  body = Buffer.alloc(0);
  headersSent = false;
  destroyed = false;
  readonly headers = new Map<string, unknown>();
  setHeader(name: string, value: unknown): this {
    this.headers.set(name.toLowerCase(), value);
    return this;
  }
  writeHead(status: number, headers: Record<string, unknown> = {}): this {
    assert(!this.headersSent, 'one head');
    this.headersSent = true;
    this.status = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    return this;
  }
  end(body: Buffer | string = ''): this {
    this.ends++;
    this.body = Buffer.from(body as string);
    this.emit('ended');
    return this;
  }
}

const outcomes: readonly ConsumeOutcome[] = [
  accepted,
  refusedPermanent('no', GrpcStatus.invalidArgument),
  refusedRetryable('later', { retryAfterMs: 1_500 }),
  refusedRetryable('full', { code: GrpcStatus.resourceExhausted, retryAfterMs: 10 }),
];

function requestOf(dice: Dice): FakeRequest {
  const types = [
    'application/x-protobuf',
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'text/plain',
    '',
    ';',
    '/',
  ];
  const headers: Record<string, string> = {};
  if (dice.chance(0.95)) headers['content-type'] = dice.chance(0.85) ? dice.pick(types.slice(0, 3)) : dice.pick(types);
  const encoding = dice.pick(['', '', 'gzip', 'zstd', 'deflate', 'snappy', 'lz4', 'br', 'GZIP', 'gzip, gzip']);
  if (encoding !== '' || dice.chance(0.1)) headers['content-encoding'] = encoding;
  if (dice.chance(0.2)) headers['content-length'] = dice.pick(['0', '-1', 'x', '1e9', '99999999999999999999', '12']);
  if (dice.chance(0.1)) headers.authorization = dice.pick(['', 'Bearer', 'Bearer x', 'Basic ===', '\u0000']);
  const method = dice.chance(0.95) ? 'POST' : dice.pick(['GET', 'OPTIONS', 'post', '']);
  const url = dice.chance(0.95) ? '/v1/traces' : dice.pick(['', '/', '/v1/traces?a=b', '/v1/traces/', '//v1/traces', '/v1/traces?%', '*']);
  return new FakeRequest(method, url, headers);
}

function bodyOf(dice: Dice, request: FakeRequest, otlp: Uint8Array): Uint8Array {
  const isJson = /json/i.test(request.headers['content-type'] ?? '');
  const plain = isJson ? Buffer.from(jsonTextOf(otlp), 'utf8') : otlp;
  const spoilt = dice.chance(0.6) ? plain : mutateBytes(dice, plain);
  const encoding = request.headers['content-encoding'];
  const compressed = encoding === 'gzip' ? gzipSync(spoilt, { level: 1 }) : encoding === 'zstd' ? zstdCompressSync(spoilt) : spoilt;
  return dice.chance(0.7) ? compressed : mutateBytes(dice, compressed);
}

/** One exchange from its head to its end. Errors: throws AssertionError. */
async function exchange(dice: Dice, otlp: Uint8Array): Promise<void> {
  let released = 0;
  let inPipeline = 0;
  const uploads = new UploadBudget(1 << 20);
  const host: ExchangeHost = {
    path: '/v1/traces',
    bodyBytesMax,
    encodings: dice.chance(0.9)
      ? new Map<string, Encoding | undefined>([['', undefined], ...encodings.map((name) => [name, name] as const)])
      : undefined,
    cors: undefined,
    responseHeaders: [],
    authenticator: dice.chance(0.9)
      ? undefined
      : ({ authenticate: (headers) => (headers.has('authorization') ? { ok: true } : { ok: false, error: 'no' }) } as NonNullable<
          ExchangeHost['authenticator']
        >),
    authenticatedParameters: dice.chance(0.5) ? [] : ['a'],
    includeMetadata: dice.chance(0.5),
    uploads,
    isStrict: dice.chance(0.5),
    exportTraces: async (chunks, byteLength) => {
      inPipeline++;
      assert.equal(
        chunks.reduce((sum, chunk) => sum + chunk.length, 0),
        byteLength,
      );
      return dice.pick(outcomes);
    },
    countRefusal: () => {},
    isDraining: () => false,
    release: () => void released++,
  };
  const request = requestOf(dice);
  const response = new FakeResponse();
  const ended = new Promise<void>((resolve) => response.once('ended', resolve));
  new HttpExchange(host, request as unknown as IncomingMessage, response as unknown as ServerResponse).begin();
  const body = bodyOf(dice, request, otlp);
  const cutAt = dice.chance(0.9) ? Infinity : dice.below(body.length + 1);
  for (let at = 0; at < Math.min(body.length, cutAt); ) {
    const end = Math.min(body.length, at + dice.pick([1, 7, 100, 4_000]));
    request.emit('data', Buffer.from(body.subarray(at, end)));
    at = end;
  }
  if (cutAt !== Infinity) request.emit('error', new Error('aborted'));
  else {
    request.complete = true;
    request.emit('end');
    await ended;
  }
  response.emit('close');
  await new Promise((resolve) => setImmediate(resolve));
  assert(response.ends <= 1 && inPipeline <= 1, 'one answer, one payload');
  assert(response.ends === 0 || statuses.has(response.status), `status ${response.status}`);
  assert(released > 0, 'the exchange is let go');
  assert.equal(uploads.heldBytes, 0, 'no byte is held');
}

export const httpFuzz: AsyncFuzzTarget = {
  name: 'http',
  start(prng: Prng) {
    const dice = new Dice(prng);
    let otlp: Uint8Array = new Uint8Array();
    let turn = 0;
    return () => {
      if (turn++ % 50 === 0) {
        do otlp = randomRequest(dice, { traces: 2, spansPerScopeMax: 2, oddness: 0.1 });
        while (otlp.length > 3_000);
      }
      return exchange(dice, otlp);
    };
  },
};
