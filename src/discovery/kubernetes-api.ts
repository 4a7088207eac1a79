/** Lists and watches EndpointSlices at the Kubernetes API server, as the pod's service account. Main thread. The one importer of undici in discovery. */

import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher, request } from 'undici';
import type { Clock } from '../shared/clock.ts';
import { type EndpointSlice, isEndpointSlice } from './endpoint-slices.ts';

export interface KubernetesAccess {
  /** Of the API server; undefined outside a cluster. In a cluster: https://KUBERNETES_SERVICE_HOST:KUBERNETES_SERVICE_PORT. */
  readonly url: string | undefined;
  /** Read anew for each request, because tokens rotate. */
  readonly tokenPath: string;
  /** Read anew for each connection pool. A file that is not there: the system's authorities. */
  readonly caPath: string;
}

/** `denied`: 403, with the verb that is not allowed. `outside`: no cluster here. `expired`: 410, list again. */
export type KubernetesFault =
  | { readonly kind: 'denied'; readonly cause: string }
  | { readonly kind: 'outside'; readonly cause: string }
  | { readonly kind: 'expired'; readonly cause: string }
  | { readonly kind: 'failed'; readonly cause: string; readonly retryAfterMs: number };

export type ListOutcome =
  | { readonly kind: 'listed'; readonly slices: readonly EndpointSlice[]; readonly resourceVersion: string }
  | KubernetesFault;
/** `ended`: the server closed the watch in good order, or we did. */
export type WatchOutcome = { readonly kind: 'ended' } | KubernetesFault;

export type SliceEvent =
  | { readonly type: 'put'; readonly slice: EndpointSlice; readonly resourceVersion: string }
  | { readonly type: 'deleted'; readonly slice: EndpointSlice; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string };

export interface SliceQuery {
  readonly namespace: string;
  readonly service: string;
  /** Server-side limit of a list and of a watch. */
  readonly timeoutMs: number;
}

/** Neither call rejects. */
export interface KubernetesApi {
  list(query: SliceQuery, signal: AbortSignal): Promise<ListOutcome>;
  watch(query: SliceQuery, resourceVersion: string, onEvent: (event: SliceEvent) => void, signal: AbortSignal): Promise<WatchOutcome>;
  close(): Promise<void>;
}

const pageSize = 500;
/** An answer must begin within this; a watch's may be as short as its status line. */
const headersTimeoutMs = 10_000;
/** How much longer than the server promised we listen to a watch that says nothing: the connection may be half open. */
const watchGraceMs = 5_000;
const lineBytesMax = 32 * 1024 * 1024;

export class HttpKubernetesApi implements KubernetesApi {
  readonly #access: KubernetesAccess;
  readonly #clock: Clock;
  #agent: { readonly ca: string | undefined; readonly dispatcher: Dispatcher } | undefined;

  constructor(access: KubernetesAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  async list(query: SliceQuery, signal: AbortSignal): Promise<ListOutcome> {
    const slices: EndpointSlice[] = [];
    let resourceVersion = '';
    let next = '';
    do {
      const outcome = await this.#get(query, 'list', { limit: String(pageSize), ...(next && { continue: next }) }, signal, async (body) => {
        const page = (await body.json()) as { metadata?: { resourceVersion?: string; continue?: string }; items?: unknown[] };
        slices.push(...(page.items ?? []).filter(isEndpointSlice));
        resourceVersion = page.metadata?.resourceVersion ?? '';
        next = page.metadata?.continue ?? '';
      });
      if (outcome.kind !== 'ended') return outcome;
      if (signal.aborted) return { kind: 'failed', cause: 'listing was ended', retryAfterMs: 0 };
    } while (next !== '');
    return { kind: 'listed', slices, resourceVersion };
  }

  async watch(
    query: SliceQuery,
    resourceVersion: string,
    onEvent: (event: SliceEvent) => void,
    signal: AbortSignal,
  ): Promise<WatchOutcome> {
    let fault: KubernetesFault | undefined;
    const outcome = await this.#get(query, 'watch', { watch: '1', allowWatchBookmarks: 'true', resourceVersion }, signal, async (body) => {
      for await (const line of linesOf(body)) {
        const event = readEvent(line);
        if ('kind' in event) {
          fault = event;
          return;
        }
        if (event.type !== 'other') onEvent(event);
      }
    });
    return fault ?? outcome;
  }

  async close(): Promise<void> {
    await this.#agent?.dispatcher.destroy();
    this.#agent = undefined;
  }

  /** One request; `read` takes the body of a good answer. */
  async #get(
    query: SliceQuery,
    verb: 'list' | 'watch',
    parameters: Record<string, string>,
    signal: AbortSignal,
    read: (body: Dispatcher.ResponseData['body']) => Promise<void>,
  ): Promise<WatchOutcome> {
    if (this.#access.url === undefined)
      return { kind: 'outside', cause: 'this process does not run in a Kubernetes cluster (no API server is known)' };
    const token = await textOf(this.#access.tokenPath);
    if (token === undefined) return { kind: 'outside', cause: `the service account's token cannot be read from ${this.#access.tokenPath}` };
    const selector = {
      labelSelector: `kubernetes.io/service-name=${query.service}`,
      timeoutSeconds: String(Math.ceil(query.timeoutMs / 1000)),
    };
    const url = new URL(`/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(query.namespace)}/endpointslices`, this.#access.url);
    url.search = new URLSearchParams({ ...selector, ...parameters }).toString();
    const limit = new AbortController();
    const watchdog = this.#clock.after(query.timeoutMs + watchGraceMs, () => limit.abort());
    try {
      const answer = await request(url, {
        dispatcher: await this.#dispatcher(),
        headers: { authorization: `Bearer ${token.trim()}`, accept: 'application/json', 'user-agent': 'ringtail' },
        headersTimeout: headersTimeoutMs,
        bodyTimeout: 0,
        signal: AbortSignal.any([signal, limit.signal]),
      });
      if (answer.statusCode !== 200) return await refusal(answer, verb, query);
      await read(answer.body);
      return { kind: 'ended' };
    } catch (error) {
      if (signal.aborted) return { kind: 'ended' };
      const what = limit.signal.aborted ? 'nothing heard in time' : reasonOf(error);
      return { kind: 'failed', cause: `the ${verb} of EndpointSlices broke off: ${what}`, retryAfterMs: 0 };
    } finally {
      watchdog.cancel();
    }
  }

  async #dispatcher(): Promise<Dispatcher> {
    const ca = await textOf(this.#access.caPath);
    if (this.#agent && this.#agent.ca === ca) return this.#agent.dispatcher;
    void this.#agent?.dispatcher.close();
    this.#agent = { ca, dispatcher: new Agent({ connect: { timeout: headersTimeoutMs, ...(ca !== undefined && { ca }) } }) };
    return this.#agent.dispatcher;
  }
}

async function refusal(answer: Dispatcher.ResponseData, verb: 'list' | 'watch', query: SliceQuery): Promise<KubernetesFault> {
  const status = answer.statusCode;
  const text = await answer.body.text();
  if (status === 410) return { kind: 'expired', cause: 'the API server no longer has the version that was watched (410 Gone)' };
  if (status === 403) {
    const account = /User "([^"]{1,300})"/.exec(text.replaceAll('\\"', '"'))?.[1] ?? 'the service account';
    return {
      kind: 'denied',
      cause: `${account} may not ${verb} endpointslices.discovery.k8s.io in namespace ${query.namespace} (403): grant list and watch in a Role`,
    };
  }
  const retryAfterSeconds = Number(answer.headers['retry-after'] ?? 0);
  const why = status === 401 ? "HTTP 401: the service account's token is not accepted" : `HTTP ${status}`;
  return {
    kind: 'failed',
    cause: `the API server refused to ${verb} EndpointSlices: ${why}`,
    retryAfterMs: Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * 1000 : 0,
  };
}

type WatchLine = { type?: unknown; object?: { code?: unknown; message?: unknown; metadata?: { resourceVersion?: unknown } } };

function readEvent(line: string): SliceEvent | KubernetesFault | { readonly type: 'other' } {
  const malformed: KubernetesFault = { kind: 'expired', cause: 'the watch sent something that is no event' };
  let event: WatchLine;
  try {
    event = JSON.parse(line) as WatchLine;
  } catch {
    return malformed;
  }
  const { type, object } = event;
  const version = object?.metadata?.resourceVersion;
  const resourceVersion = typeof version === 'string' ? version : '';
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return isEndpointSlice(object) ? { type: 'put', slice: object, resourceVersion } : malformed;
    case 'DELETED':
      return isEndpointSlice(object) ? { type: 'deleted', slice: object, resourceVersion } : malformed;
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion };
    case 'ERROR':
      return object?.code === 410
        ? { kind: 'expired', cause: 'the API server no longer has the version that was watched (410 Gone)' }
        : { kind: 'failed', cause: `the watch reported an error (code ${String(object?.code)})`, retryAfterMs: 0 };
    default:
      return { type: 'other' };
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytesMax) throw new Error('an event is too large');
    for (const line of lines) if (line.trim() !== '') yield line;
  }
  if (rest.trim() !== '') yield rest;
}

function reasonOf(error: unknown): string {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: { code?: string } };
  return code ?? cause?.code ?? message ?? 'error';
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
