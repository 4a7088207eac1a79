/** An HTTPS server that speaks HTTP/2 or HTTP/1.1 as the client chooses (ALPN), with one request handler for both. Main thread. */

import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import http2, { type ServerHttp2Session } from 'node:http2';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { ServerTlsOptions } from '../../transport/tls.ts';
import { sessionWindowBytes, streamWindowBytes } from './grpc-server.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Source: Go's HTTP/2 server. */
const concurrentStreamsMax = 250;

/** The listener is an https.Server; sessions of HTTP/2 live beside it and are ended by their own calls. */
export class HttpsServer {
  readonly server: https.Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  #isEnding = false;

  /** Units: `idleTimeoutMs`, 0 = no limit. */
  constructor(options: ServerOptions & ServerTlsOptions, idleTimeoutMs: number, handler: Handler) {
    this.server = https.createServer({ ...options, ALPNProtocols: ['h2', 'http/1.1'] }, handler);
    const http2Server = this.#createHttp2(idleTimeoutMs, handler);
    const [speakHttp1] = this.server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
    this.server.removeAllListeners('secureConnection');
    this.server.on('secureConnection', (socket) => {
      if (socket.alpnProtocol === 'h2') http2Server.emit('connection', socket);
      else speakHttp1!.call(this.server, socket);
    });
  }

  /** GOAWAY: what was begun is served, nothing new is taken. */
  endSessions(): void {
    this.#isEnding = true;
    for (const session of this.#sessions) session.close();
  }

  destroySessions(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #createHttp2(idleTimeoutMs: number, handler: Handler): http2.Http2Server {
    // Floods: the same bounds as of the gRPC server.
    const http2Server = http2.createServer({
      settings: {
        initialWindowSize: streamWindowBytes,
        maxHeaderListSize: 128 << 10,
        maxConcurrentStreams: concurrentStreamsMax,
        enablePush: false,
      },
      maxSettings: 32,
      maxHeaderListPairs: 128,
      maxOutstandingPings: 10,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      streamResetBurst: 1_000,
      streamResetRate: 33,
      maxSessionMemory: 64,
    });
    http2Server.on('session', (session) => {
      this.#sessions.add(session);
      session.setLocalWindowSize(sessionWindowBytes);
      if (idleTimeoutMs > 0) session.setTimeout(idleTimeoutMs, () => session.close());
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', () => {}); // The connection's own end; `close` follows.
      if (this.#isEnding) session.close();
    });
    // node's compatibility objects have all that an exchange uses, under the same names.
    http2Server.on('request', handler as unknown as (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void);
    return http2Server;
  }
}
