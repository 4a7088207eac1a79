/** Fetches configuration texts: files, environment variables, inline YAML, HTTP. Main thread. */

import { readFile } from 'node:fs/promises';
import { request } from 'undici';

export interface SourceSettings {
  /** Handed in: process.env has one home. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type SourceOutcome =
  /** `verbatim`: not to be read as YAML (an empty default is a text, where an empty variable is null). */
  | { readonly kind: 'text'; readonly text: string; readonly verbatim?: true }
  | { readonly kind: 'unset'; readonly name: string }
  | { readonly kind: 'failed'; readonly message: string };

const httpBytesMax = 16 * 1024 * 1024;
const httpTimeoutMs = 10_000;
const redirectsMax = 10;
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];
const variableName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const schemes = ['file', 'env', 'yaml', 'http', 'https'] as const;

/** Splits `scheme:rest`. Undefined when it begins with none of the known schemes. */
export function splitScheme(uri: string): { readonly scheme: (typeof schemes)[number]; readonly rest: string } | undefined {
  const scheme = schemes.find((name) => uri.startsWith(`${name}:`));
  return scheme === undefined ? undefined : { scheme, rest: uri.slice(scheme.length + 1) };
}

/** Fetches what a `--config` argument or the inside of a `${…}` with a scheme names. */
export async function fetchSource(uri: string, settings: SourceSettings): Promise<SourceOutcome> {
  const split = splitScheme(uri);
  if (split === undefined)
    return { kind: 'failed', message: `scheme of ${JSON.stringify(uri)} is not supported; known: ${schemes.join(', ')}` };
  switch (split.scheme) {
    case 'yaml':
      return { kind: 'text', text: split.rest };
    case 'env':
      return readVariable(split.rest, settings);
    case 'file':
      return readText(split.rest);
    default:
      return download(uri);
  }
}

function readVariable(reference: string, settings: SourceSettings): SourceOutcome {
  const suffix = reference.indexOf(':-');
  const name = suffix < 0 ? reference : reference.slice(0, suffix);
  if (!variableName.test(name)) {
    const message = `environment variable ${JSON.stringify(name)} has invalid name: must match regex ${variableName.source}`;
    return { kind: 'failed', message };
  }
  const text = Object.hasOwn(settings.environment, name) ? settings.environment[name] : undefined;
  if (text !== undefined) return { kind: 'text', text };
  if (suffix >= 0 && suffix + 2 === reference.length) return { kind: 'text', text: '', verbatim: true };
  if (suffix >= 0) return { kind: 'text', text: reference.slice(suffix + 2) };
  return { kind: 'unset', name };
}

async function readText(path: string): Promise<SourceOutcome> {
  try {
    return { kind: 'text', text: await readFile(path, 'utf8') };
  } catch (error) {
    return { kind: 'failed', message: `unable to read the file ${path}: ${(error as Error).message}` };
  }
}

/** Follows redirects, as Go's client does; a user in the address becomes basic authentication, for its own origin alone. */
async function download(url: string): Promise<SourceOutcome> {
  const shown = withoutQuery(url);
  try {
    let target = new URL(url);
    const { origin } = target;
    const headers = credentials(target);
    for (let redirects = 0; ; redirects++) {
      const response = await request(target, {
        method: 'GET',
        headers: target.origin === origin ? headers : {},
        headersTimeout: httpTimeoutMs,
        bodyTimeout: httpTimeoutMs,
      });
      const location = redirectStatuses.includes(response.statusCode) ? response.headers.location : undefined;
      if (response.statusCode === 200) return await readBody(response.body, shown);
      await response.body.dump();
      if (typeof location !== 'string') {
        return { kind: 'failed', message: `failed to load resource from uri ${shown}, status code: ${response.statusCode}` };
      }
      if (redirects === redirectsMax) return { kind: 'failed', message: `${shown} redirects more than ${redirectsMax} times` };
      target = new URL(location, target);
    }
  } catch (error) {
    return { kind: 'failed', message: `unable to download ${shown}: ${(error as Error).message}` };
  }
}

async function readBody(body: AsyncIterable<Buffer>, shown: string): Promise<SourceOutcome> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > httpBytesMax) return { kind: 'failed', message: `${shown} is larger than ${httpBytesMax} bytes` };
    chunks.push(chunk);
  }
  return { kind: 'text', text: Buffer.concat(chunks).toString('utf8') };
}

/** Takes the user out of the address. */
function credentials(target: URL): Record<string, string> {
  if (target.username === '' && target.password === '') return {};
  const pair = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
  target.username = '';
  target.password = '';
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** A query may carry a token, so no message shows it. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, '').replace(/\/\/[^/@]*@/, '//');
}
