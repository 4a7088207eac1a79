/** Reads the `endpoint` of a gRPC exporter: which host, port or socket it means, and whether it demands TLS. Pure. */

/** `authority` is the default :authority of calls. `secure` is set when the scheme decides. */
export type GrpcTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly authority: string; readonly secure: boolean }
  | { readonly kind: 'unix'; readonly path: string; readonly authority: string; readonly secure: boolean };

export interface TargetFault {
  readonly kind: 'fault';
  readonly message: string;
}

const resolverSchemes = /^(?:dns|passthrough|ipv4|ipv6):/;

/**
 * Shape:  host:port, http://…, https://…, dns:///host:port, dns://server/host:port, passthrough:///…, unix:///path, unix:path.
 * Errors: a text in the Collector's words.
 */
export function parseGrpcTarget(endpoint: string): GrpcTarget | TargetFault {
  if (endpoint === '') return { kind: 'fault', message: 'requires a non-empty "endpoint"' };
  if (endpoint.startsWith('unix:')) {
    const path = endpoint.slice('unix:'.length).replace(/^\/\/(?=\/|$)/, '');
    if (path === '' || path === '//') return { kind: 'fault', message: 'unix socket path cannot be empty' };
    return { kind: 'unix', path: path.startsWith('//') ? path.slice(2) : path, authority: 'localhost', secure: false };
  }
  const secure = endpoint.startsWith('https://');
  let address = endpoint.replace(/^https?:\/\//, '');
  if (resolverSchemes.test(address)) address = address.replace(resolverSchemes, '').replace(/^\/\/[^/]*\//, '');
  else if (/^[a-z][a-z0-9+.-]*:\/\//.test(address))
    return { kind: 'fault', message: `scheme of "${endpoint}" is not supported; write host:port, dns:///host:port or unix:///path` };
  const split = splitHostPort(address);
  return typeof split === 'string' ? { kind: 'fault', message: split } : { kind: 'tcp', ...split, authority: address, secure };
}

/** Source: Go's net.SplitHostPort and its error texts. */
function splitHostPort(address: string): { host: string; port: number } | string {
  const colon = address.lastIndexOf(':');
  const bracket = address.lastIndexOf(']');
  if (colon < 0 || colon < bracket) return `address ${address}: missing port in address`;
  let host = address.slice(0, colon);
  if (host.startsWith('[') && host.endsWith(']')) host = host.slice(1, -1);
  else if (host.includes(':')) return `address ${address}: too many colons in address`;
  const portText = address.slice(colon + 1);
  if (!/^\d+$/.test(portText) || Number(portText) > 65_535) return `invalid port "${portText}"`;
  return { host: host === '' ? 'localhost' : host, port: Number(portText) };
}
