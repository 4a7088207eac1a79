/** Decides where the demo's processes listen: well-known ports on loopback addresses of their own, or free ports where those are taken. Main thread. */

import { createServer, type Server } from 'node:net';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export const addressOf = (place: Place): string => `${place.host}:${place.port}`;

export interface SamplerPlace {
  readonly grpc: Place;
  readonly health: Place;
  readonly metrics: Place;
}

export interface RouterPlace extends SamplerPlace {
  readonly http: Place;
}

export interface Places {
  readonly samplers: readonly SamplerPlace[];
  readonly routers: readonly RouterPlace[];
  /** Whether every sampler has the one port that an address record cannot tell; else the routers must ask for SRV records. */
  readonly samplersShareAPort: boolean;
  /** Why well-known places were not used, one sentence each. */
  readonly notes: readonly string[];
}

export interface PlacesSettings {
  readonly samplers: number;
  readonly routers: number;
  /** Use free ports on 127.0.0.1 without trying others. */
  readonly freePorts: boolean;
}

const otlpGrpcPort = 4317;
const otlpHttpPort = 4318;
const healthPort = 13133;
const metricsPort = 8888;
const fallbackHost = '127.0.0.1';

const samplerHost = (index: number) => `127.0.1.${index + 1}`;
const routerHost = (index: number) => `127.0.0.${index + 1}`;

/** Holds every port that it found free until all are known, so that none is given out twice. */
class Reservation {
  readonly notes: string[] = [];
  readonly #held: Server[] = [];
  readonly #freePorts: boolean;

  constructor(freePorts: boolean) {
    this.#freePorts = freePorts;
  }

  /** Undefined when another has the port or the address does not exist here. */
  async exact(place: Place): Promise<Place | undefined> {
    if (this.#freePorts) return undefined;
    const outcome = await this.#hold(place);
    if (typeof outcome !== 'string') return outcome;
    this.notes.push(`${addressOf(place)} ${outcome}`);
    return undefined;
  }

  async free(): Promise<Place> {
    const outcome = await this.#hold({ host: fallbackHost, port: 0 });
    if (typeof outcome === 'string') throw new Error(`no free port on ${fallbackHost}: ${outcome}`);
    return outcome;
  }

  async exactOrFree(place: Place): Promise<Place> {
    return (await this.exact(place)) ?? (await this.free());
  }

  async end(): Promise<void> {
    await Promise.all(this.#held.map((server) => new Promise((closed) => server.close(closed))));
  }

  #hold(place: Place): Promise<Place | string> {
    const server = createServer();
    return new Promise((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(reasons[error.code ?? ''] ?? `cannot be used (${error.message})`));
      server.listen({ ...place, exclusive: true }, () => {
        this.#held.push(server);
        const address = server.address();
        resolve({ host: place.host, port: typeof address === 'object' && address !== null ? address.port : place.port });
      });
    });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EADDRNOTAVAIL: 'is no address of this machine',
  EACCES: 'may not be used',
};

/** Errors: rejects when no port is free at all. */
export async function findPlaces(settings: PlacesSettings): Promise<Places> {
  const reservation = new Reservation(settings.freePorts);
  try {
    const wellKnown = await wellKnownSamplers(reservation, settings.samplers);
    const samplers: SamplerPlace[] = [];
    for (let index = 0; index < settings.samplers; index++) {
      samplers.push({ grpc: wellKnown?.[index] ?? (await reservation.free()), ...(await watchPlaces(reservation, samplerHost(index))) });
    }
    const routers: RouterPlace[] = [];
    for (let index = 0; index < settings.routers; index++) {
      const host = routerHost(index);
      const grpc = await reservation.exactOrFree({ host, port: otlpGrpcPort });
      const http = await reservation.exactOrFree({ host, port: otlpHttpPort });
      routers.push({ grpc, http, ...(await watchPlaces(reservation, host)) });
    }
    return { samplers, routers, samplersShareAPort: wellKnown !== undefined, notes: reservation.notes };
  } finally {
    await reservation.end();
  }
}

/** All of them or none: an address record says nothing about ports. */
async function wellKnownSamplers(reservation: Reservation, count: number): Promise<readonly Place[] | undefined> {
  const found: Place[] = [];
  for (let index = 0; index < count; index++) {
    const place = await reservation.exact({ host: samplerHost(index), port: otlpGrpcPort });
    if (place === undefined) return undefined;
    found.push(place);
  }
  return found;
}

async function watchPlaces(reservation: Reservation, host: string): Promise<{ health: Place; metrics: Place }> {
  return {
    health: await reservation.exactOrFree({ host, port: healthPort }),
    metrics: await reservation.exactOrFree({ host, port: metricsPort }),
  };
}
