/** URLs cut into their parts as Go's net/url does, named by the semantic conventions. Any thread. */

import { parseGoInt } from '../go-numbers.ts';
import { goQuote } from '../go-text.ts';
import { OttlError, type OttlValue, PlainInt, type RawMap } from '../values.ts';

/** Percent-decoding; undefined for an escape that is none. */
function percentDecode(text: string, plusIsSpace = false): string | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined;
  const spaced = plusIsSpace ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  const bytes = Buffer.from(spaced)
    .toString('latin1')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

/** The first escape that is none, as url.EscapeError prints it. */
function badEscape(text: string): string {
  return goQuote(/%(?![0-9a-fA-F]{2})[\s\S]{0,2}/.exec(text)?.[0] ?? '');
}

/** Percent-encodes every byte that is neither unreserved nor in `kept`. */
function percentEncode(text: string, kept: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    out +=
      byte < 0x80 && (/[A-Za-z0-9\-_.~]/.test(char) || kept.includes(char)) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

interface Url {
  scheme: string;
  opaque: string;
  user: { name: string; password: string | undefined } | undefined;
  host: string;
  path: string;
  rawPath: string;
  rawQuery: string;
  hasQuery: boolean;
  fragment: string;
  rawFragment: string;
}

/** The path or fragment as it was written where that is a valid way to write it, else encoded afresh. */
function written(decoded: string, raw: string, kept: string): string {
  return raw !== '' && percentDecode(raw) === decoded && /^[A-Za-z0-9\-_.~%!$&'()*+,;=:@/[\]?]*$/.test(raw)
    ? raw
    : percentEncode(decoded, kept);
}

function parseAuthority(authority: string, url: Url): string | undefined {
  const at = authority.lastIndexOf('@');
  let host = authority;
  if (at >= 0) {
    const info = authority.slice(0, at);
    host = authority.slice(at + 1);
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(info)) return 'net/url: invalid userinfo';
    const colon = info.indexOf(':');
    const name = percentDecode(colon < 0 ? info : info.slice(0, colon));
    const password = colon < 0 ? undefined : percentDecode(info.slice(colon + 1));
    if (name === undefined || (colon >= 0 && password === undefined)) return `invalid URL escape ${badEscape(info)}`;
    url.user = { name, password };
  }
  const bracket = host.startsWith('[') ? host.lastIndexOf(']') : -1;
  if (host.startsWith('[') && bracket < 0) return "missing ']' in host";
  const rest = host.slice(bracket + 1);
  const colon = rest.lastIndexOf(':');
  const port = colon < 0 ? '' : rest.slice(colon);
  if (bracket >= 0 ? rest !== '' && !/^:\d*$/.test(rest) : !/^(?::\d*)?$/.test(port))
    return `invalid port ${goQuote(bracket >= 0 ? rest : port)} after host`;
  const bad = /[ "<>^`{|}\\]/.exec(host);
  if (bad !== null) return `invalid character ${goQuote(bad[0])} in host name`;
  const decoded = percentDecode(host);
  if (decoded === undefined) return `invalid URL escape ${badEscape(host)}`;
  url.host = decoded;
  return undefined;
}

/** url.Parse; a text is what is wrong. */
function parse(text: string): Url | string {
  const url: Url = {
    scheme: '',
    opaque: '',
    user: undefined,
    host: '',
    path: '',
    rawPath: '',
    rawQuery: '',
    hasQuery: false,
    fragment: '',
    rawFragment: '',
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\x00-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL';
  const hash = text.indexOf('#');
  let rest = hash < 0 ? text : text.slice(0, hash);
  const scheme = /^([a-zA-Z][a-zA-Z0-9+\-.]*):/.exec(rest);
  if (scheme !== null) {
    url.scheme = scheme[1]!.toLowerCase();
    rest = rest.slice(scheme[0].length);
  } else if (rest.startsWith(':')) return 'missing protocol scheme';
  const question = rest.indexOf('?');
  if (question >= 0) {
    url.rawQuery = rest.slice(question + 1);
    url.hasQuery = true;
    rest = rest.slice(0, question);
  }
  if (!rest.startsWith('/')) {
    if (url.scheme !== '') {
      url.opaque = rest;
      rest = '';
    } else if (/^[^/]*:/.test(rest)) return 'first path segment in URL cannot contain colon';
  } else if (rest.startsWith('//') && (url.scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    const fault = parseAuthority(slash < 0 ? rest.slice(2) : rest.slice(2, slash), url);
    if (fault !== undefined) return fault;
    rest = slash < 0 ? '' : rest.slice(slash);
  }
  const path = percentDecode(rest);
  if (path === undefined) return `invalid URL escape ${badEscape(rest)}`;
  url.path = path;
  url.rawPath = rest;
  if (hash >= 0) {
    url.rawFragment = text.slice(hash + 1);
    const fragment = percentDecode(url.rawFragment);
    if (fragment === undefined) return `invalid URL escape ${badEscape(url.rawFragment)}`;
    url.fragment = fragment;
  }
  return url;
}

const userKept = "$&+,;=!'()*";

function userText({ name, password }: NonNullable<Url['user']>): string {
  const escaped = percentEncode(name, '$&+,;=');
  return password === undefined ? escaped : `${escaped}:${percentEncode(password, '$&+,;=')}`;
}

/** URL.String. */
function urlText(url: Url): string {
  let out = url.scheme === '' ? '' : `${url.scheme}:`;
  if (url.opaque !== '') out += url.opaque;
  else {
    const path = written(url.path, url.rawPath, '$&+,/:;=@');
    if (url.scheme !== '' || url.host !== '' || url.user !== undefined) {
      if (url.host !== '' || url.path !== '' || url.user !== undefined) {
        if (!(url.host === '' && url.user === undefined && !path.startsWith('//') && !/^\//.test(url.path))) out += '//';
        if (url.user !== undefined) out += `${userText(url.user)}@`;
        out += percentEncode(url.host, `${userKept}:[]<>"`);
      }
    }
    out += path;
  }
  if (url.hasQuery) out += `?${url.rawQuery}`;
  return url.fragment === '' ? out : `${out}#${written(url.fragment, url.rawFragment, '$&+,/:;=?@!()*')}`;
}

/** Parameters of a query, every value in a list. */
function queryMap(query: string): RawMap | OttlError {
  const parameters: RawMap = new Map();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    if (pair.includes(';')) return new OttlError('invalid semicolon separator in query');
    const equals = pair.indexOf('=');
    const key = percentDecode(equals < 0 ? pair : pair.slice(0, equals), true);
    const value = equals < 0 ? '' : percentDecode(pair.slice(equals + 1), true);
    if (key === undefined || value === undefined) return new OttlError(`invalid URL escape ${badEscape(pair)}`);
    parameters.set(key, [...((parameters.get(key) ?? []) as OttlValue[]), value]);
  }
  return parameters.size === 0 ? new Map() : new Map([['query', parameters]]);
}

/** Source: parseutils.ParseURI of the Collector v0.161. */
export function parseUrl(text: string): RawMap | OttlError {
  if (text === '') return new OttlError('url cannot be empty');
  if (text.startsWith('?')) return queryMap(text.slice(1));
  const url = parse(text);
  if (typeof url === 'string') return new OttlError(`parse ${goQuote(text)}: ${url}`);
  const parts: RawMap = new Map();
  const hostPort = /^(?:\[([^\]]*)\]|(.*?))(?::(\d*))?$/.exec(url.host)!;
  parts.set('url.original', urlText(url));
  parts.set('url.domain', hostPort[1] ?? hostPort[2] ?? '');
  parts.set('url.scheme', url.scheme);
  parts.set('url.path', url.path);
  if (hostPort[3]) {
    const port = parseGoInt(hostPort[3], 10);
    if (port instanceof OttlError) return new OttlError(port.message.replace('ParseInt', 'Atoi'));
    parts.set('url.port', new PlainInt(port));
  }
  if (url.fragment !== '') parts.set('url.fragment', url.fragment);
  if (url.user !== undefined) {
    parts.set('url.user_info', userText(url.user));
    if (url.user.name !== '') parts.set('url.username', url.user.name);
    if (url.user.password !== undefined) parts.set('url.password', url.user.password);
  }
  if (url.rawQuery !== '') parts.set('url.query', url.rawQuery);
  const dot = url.path.lastIndexOf('.');
  if (dot >= 0 && dot < url.path.length - 1) parts.set('url.extension', url.path.slice(dot + 1));
  return parts;
}
