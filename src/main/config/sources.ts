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

async function download(url: string): Promise<SourceOutcome> {
  try {
    const response = await request(url, { method: 'GET', headersTimeout: httpTimeoutMs, bodyTimeout: httpTimeoutMs });
    if (response.statusCode !== 200) {
      await response.body.dump();
      return { kind: 'failed', message: `failed to load resource from uri ${withoutQuery(url)}, status code: ${response.statusCode}` };
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > httpBytesMax) return { kind: 'failed', message: `${withoutQuery(url)} is larger than ${httpBytesMax} bytes` };
      chunks.push(chunk);
    }
    return { kind: 'text', text: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    return { kind: 'failed', message: `unable to download ${withoutQuery(url)}: ${(error as Error).message}` };
  }
}

/** A query may carry a token, so no message shows it. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, '').replace(/\/\/[^/@]*@/, '//');
}
