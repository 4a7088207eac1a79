/** A fake Kubernetes API server over node:http that serves EndpointSlices by list and watch, and misbehaves as told. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SliceEndpoint } from '../../src/discovery/endpoint-slices.ts';

export type Slices = Readonly<Record<string, readonly SliceEndpoint[]>>;
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class FakeKubernetes {
  /** `verb namespace resourceVersion`, and the bearer token of each request. */
  readonly asked: string[] = [];
  readonly tokens: string[] = [];
  readonly queries: URLSearchParams[] = [];
  /** Take the place of the good answer while set. */
  onList: Handler | undefined;
  onWatch: Handler | undefined;
  /** Changes are not sent to watches: they are only listed. */
  silentWatch = false;
  #slices: Slices = {};
  #version = 100;
  #directory = '';
  readonly #watches = new Set<ServerResponse>();
  /** What a watch that begins at an older version is told first. */
  readonly #history: { readonly version: number; readonly text: string }[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));

  async start(slices: Slices): Promise<void> {
    this.#slices = slices;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#directory = await mkdtemp(join(tmpdir(), 'ringtail-sa-'));
    await this.writeFiles({ token: 'first-token\n', namespace: 'obs\n' });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get serviceAccountPath(): string {
    return this.#directory;
  }

  get watching(): number {
    return this.#watches.size;
  }

  async writeFiles(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.#directory, name), text);
  }

  /** Changes the truth and tells the watches. */
  set(slices: Slices): void {
    const before = this.#slices;
    this.#slices = slices;
    if (this.silentWatch) return;
    for (const [name, endpoints] of Object.entries(slices)) {
      if (before[name] !== endpoints) this.#change(name in before ? 'MODIFIED' : 'ADDED', name, endpoints);
    }
    for (const name of Object.keys(before)) if (!(name in slices)) this.#change('DELETED', name, before[name]);
  }

  #change(type: string, name: string, endpoints: readonly SliceEndpoint[]): void {
    const text = `${JSON.stringify({ type, object: sliceOf(name, endpoints, ++this.#version) })}\n`;
    this.#history.push({ version: this.#version, text });
    this.sendText(text);
  }

  send(type: string, object: unknown): void {
    this.sendText(`${JSON.stringify({ type, object })}\n`);
  }

  sendText(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  bookmark(): void {
    this.send('BOOKMARK', { metadata: { resourceVersion: String(++this.#version) } });
  }

  endWatches(how: 'close' | 'reset'): void {
    for (const watch of this.#watches) {
      if (how === 'close') watch.end();
      else watch.destroy();
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake');
    const watch = url.searchParams.has('watch');
    const namespace = /namespaces\/([^/]+)\/endpointslices$/.exec(url.pathname)?.[1] ?? '?';
    this.asked.push(`${watch ? 'watch' : 'list'} ${namespace}`);
    this.queries.push(url.searchParams);
    this.tokens.push(request.headers.authorization ?? '');
    const handler = watch ? this.onWatch : this.onList;
    if (handler) {
      handler(request, response);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    if (watch) {
      response.flushHeaders();
      this.#watches.add(response);
      const from = Number(url.searchParams.get('resourceVersion'));
      for (const change of this.#history) if (change.version > from) response.write(change.text);
      response.on('close', () => this.#watches.delete(response));
    } else {
      const items = Object.entries(this.#slices).map(([name, endpoints]) => sliceOf(name, endpoints, this.#version));
      response.end(JSON.stringify({ kind: 'EndpointSliceList', metadata: { resourceVersion: String(this.#version) }, items }));
    }
  }
}

function sliceOf(name: string, endpoints: readonly SliceEndpoint[], version: number): object {
  return { metadata: { name, resourceVersion: String(version) }, addressType: 'IPv4', endpoints, ports: [{ port: 4317 }] };
}

/** Answers with a Status object as the API server does. */
export function status(code: number, message = '', headers: Readonly<Record<string, string>> = {}): Handler {
  return (_request, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code, message }));
  };
}

export const ready = (...addresses: string[]): SliceEndpoint => ({ addresses, conditions: { ready: true } });
