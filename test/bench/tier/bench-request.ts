/** Requests of the tier bench: one template per service, stamped with fresh trace ids before each use. Load process. */

import { gzipSync } from 'node:zlib';
import { requestBytes, type SpanSpec, spanIdOf } from '../../support/otlp.ts';

export interface RequestShape {
  readonly spansPerRequest: number;
  /** Of one trace in one request; a trace has spans in every service. */
  readonly spansPerTrace: number;
  readonly services: number;
  /** Attributes per span beside the usual ones, of 29 bytes each. */
  readonly fatAttributes: number;
  readonly gzip: boolean;
}

/** In front of every trace id, so that a sink finds one without decoding. Then four bytes of time, four of chance, four of count. */
export const traceIdMagic = Buffer.from('RTBN');
const grpcPrefixBytes = 5;
const compressedVariants = 48;
const placeholder = Buffer.concat([traceIdMagic, Buffer.alloc(12, 0x5a)]);
const slowNanos = 5_000_000_000n;

const fatOf = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`attr.${10 + index}`, `value-${(index * 7919) % 100_000_000}`.padEnd(14, 'x')]),
  );

function templateSpan(index: number, shape: RequestShape, nowNanos: bigint): SpanSpec {
  const trace = Math.floor(index / shape.spansPerTrace);
  const durationNanos = trace % 100 === 1 ? slowNanos : 45_000_000n;
  return {
    traceId: placeholder,
    spanId: spanIdOf(index),
    parentSpanId: spanIdOf(index + 1),
    name: `GET /api/v1/orders/${index % 10}`,
    kind: 2,
    startNanos: nowNanos,
    endNanos: nowNanos + durationNanos,
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/api/v1/orders/{id}',
      'server.address': `checkout-${index % 7}.shop.svc.cluster.local`,
      'user.id': `user-${(index * 2_654_435_761) % 1_000_003}`,
      'db.rows': index % 97,
      'messaging.batch': true,
      ...fatOf(shape.fatAttributes),
    },
    // One trace in a hundred has an error.
    ...(trace % 100 === 0 ? { statusCode: 2 } : {}),
  };
}

/** gRPC messages ready for the wire. */
export class RequestMaker {
  readonly #shape: RequestShape;
  readonly #templates: Buffer[] = [];
  readonly #positions: number[][] = [];
  readonly #compressed: Buffer[] = [];
  #count = 0;
  #service = 0;
  #groupMs = 0;
  #groupCount = 0;
  #groupSalt = 0;

  constructor(shape: RequestShape) {
    this.#shape = shape;
    const nowNanos = BigInt(Date.now()) * 1_000_000n;
    for (let service = 0; service < shape.services; service++) {
      const spans = Array.from({ length: shape.spansPerRequest }, (_, index) => templateSpan(index, shape, nowNanos));
      const resource = { 'service.name': `service-${service}`, 'k8s.pod.name': `service-${service}-7d4f9`, 'host.name': 'bench' };
      const message = requestBytes(resource, { scopeName: 'bench', spans });
      const framed = Buffer.concat([Buffer.alloc(grpcPrefixBytes), message]);
      framed.writeUInt32BE(message.length, 1);
      const positions: number[] = [];
      for (let at = framed.indexOf(traceIdMagic); at >= 0; at = framed.indexOf(traceIdMagic, at + 16)) positions.push(at);
      this.#templates.push(framed);
      this.#positions.push(positions);
    }
    for (let variant = 0; shape.gzip && variant < compressedVariants; variant++) {
      const stamped = this.#stamp(Buffer.alloc(this.requestBytesMax), 0);
      const packed = gzipSync(stamped.subarray(grpcPrefixBytes), { level: 6 });
      const framed = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), packed]);
      framed.writeUInt32BE(packed.length, 1);
      this.#compressed.push(framed);
    }
  }

  get requestBytesMax(): number {
    return Math.max(...this.#templates.map(({ length }) => length));
  }

  /** The next request; `place` is overwritten with it unless requests are compressed, which are made beforehand. Units: `nowMs` as the sink's. */
  next(place: Buffer, nowMs: number): Buffer {
    if (this.#shape.gzip) return this.#compressed[this.#count++ % this.#compressed.length]!;
    return this.#stamp(place, nowMs);
  }

  /** All services of a group of traces one after the other, then the next group. */
  #stamp(place: Buffer, nowMs: number): Buffer {
    if (this.#service === 0) {
      this.#groupMs = nowMs;
      this.#groupSalt = Math.floor(Math.random() * 2 ** 32);
      this.#groupCount += Math.ceil(this.#shape.spansPerRequest / this.#shape.spansPerTrace);
    }
    const template = this.#templates[this.#service]!;
    const positions = this.#positions[this.#service]!;
    this.#service = (this.#service + 1) % this.#shape.services;
    template.copy(place);
    for (let index = 0; index < positions.length; index++) {
      const at = positions[index]! + traceIdMagic.length;
      const trace = this.#groupCount + Math.floor(index / this.#shape.spansPerTrace);
      place.writeUInt32BE(this.#groupMs >>> 0, at);
      // Samplers judge the last bytes as if they were random.
      place.writeUInt32BE((this.#groupSalt ^ Math.imul(trace, 0x9e3779b1)) >>> 0, at + 4);
      place.writeUInt32BE(Math.imul(trace ^ this.#groupSalt, 0x85ebca6b) >>> 0, at + 8);
    }
    return place.subarray(0, template.length);
  }
}
