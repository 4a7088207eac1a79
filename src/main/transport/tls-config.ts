/** The `tls` blocks of servers and clients: their keys and the checks across them, in the Collector's words. Main thread. */

import { getCiphers } from 'node:tls';
import type { ConfigFault } from '../config/config-fault.ts';
import { bool, duration, type Infer, object, secret, string, stringList } from '../config/fields.ts';

const commonFields = {
  ca_file: string().describe('Certificates of the authorities to trust, as a PEM file.'),
  ca_pem: secret().describe('The same as text.'),
  include_system_ca_certs_pool: bool().describe('Trust the system’s authorities too.'),
  cert_file: string().describe('The own certificate chain, as a PEM file.'),
  cert_pem: secret().describe('The same as text.'),
  key_file: string().describe('The private key, as a PEM file.'),
  key_pem: secret().describe('The same as text.'),
  min_version: string().describe('1.0, 1.1, 1.2 or 1.3; empty is 1.2.'),
  max_version: string().describe('1.0, 1.1, 1.2 or 1.3; empty is the newest.'),
  cipher_suites: stringList().describe('Names as the IANA gives them; empty is the safe default. They do not concern TLS 1.3.'),
  include_insecure_cipher_suites: bool().describe('Allows suites that are known to be weak in `cipher_suites`.'),
  curve_preferences: stringList().describe('X25519MLKEM768, X25519, P256, P384, P521.'),
  reload_interval: duration().describe('How often certificate and key files are read again; 0 = never.'),
  tpm: object({ enabled: bool(), path: string(), owner_auth: string(), auth: string() }).describe('Not available in Ringtail.'),
};

export const tlsServerSchema = object({
  ...commonFields,
  client_ca_file: string().describe('Authorities that client certificates must come from; when set, a client certificate is demanded.'),
  client_ca_file_reload: bool().describe('Read client_ca_file again when it changes.'),
});
export type TlsServerConfig = Infer<typeof tlsServerSchema>;

export const tlsClientSchema = object({
  ...commonFields,
  insecure: bool().describe('No TLS. Without effect when a CA is configured.'),
  insecure_skip_verify: bool().describe('Do not verify the server’s certificate.'),
  server_name_override: string().describe('The name to ask for and to verify, instead of the endpoint’s.'),
});
export type TlsClientConfig = Infer<typeof tlsClientSchema>;

type CommonConfig = Pick<TlsServerConfig, keyof typeof commonFields>;

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
export const tlsVersions: Readonly<Record<string, TlsVersion>> = { '1.0': 'TLSv1', '1.1': 'TLSv1.1', '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' };
const versionOrder = ['1.0', '1.1', '1.2', '1.3'];

/** Go's curve names → OpenSSL's. */
export const tlsCurves: Readonly<Record<string, string>> = {
  X25519MLKEM768: 'X25519MLKEM768',
  X25519: 'X25519',
  P256: 'prime256v1',
  P384: 'secp384r1',
  P521: 'secp521r1',
};

const suiteParts = /^TLS_(?:(ECDHE_RSA|ECDHE_ECDSA|RSA)_WITH_)?([A-Z0-9_]+)$/;
const insecureSuite = /^TLS_RSA_|RC4|3DES|_CBC_SHA256$/;

/** An IANA suite name as OpenSSL writes it (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 → ECDHE-RSA-AES128-GCM-SHA256); undefined when this program has no such suite. */
export function opensslSuite(name: string): string | undefined {
  const parts = suiteParts.exec(name);
  if (parts === null) return undefined;
  const [, exchange, cipher] = parts;
  if (exchange === undefined) return getCiphers().includes(name.toLowerCase()) ? name : undefined;
  let body = cipher!
    .replace(/AES_(\d+)_/, 'AES$1-')
    .replace('CBC_', '')
    .replace('3DES_EDE_SHA', 'DES-CBC3-SHA')
    .replaceAll('_', '-');
  if (body === 'CHACHA20-POLY1305-SHA256') body = 'CHACHA20-POLY1305';
  const openssl = exchange === 'RSA' ? body : `${exchange.replace('_', '-')}-${body}`;
  return getCiphers().includes(openssl.toLowerCase()) ? openssl : undefined;
}

/** Shape: paths begin with `path`, the place of the tls block in its component. */
export function checkTlsServer(config: TlsServerConfig, path: readonly (string | number)[]): readonly ConfigFault[] {
  const faults = checkCommon(config, path);
  if (!hasCertificate(config) && !hasKey(config)) {
    faults.push(fault(path, 'TLS configuration must include both certificate and key for server connections'));
  }
  return faults;
}

export function checkTlsClient(config: TlsClientConfig, path: readonly (string | number)[]): readonly ConfigFault[] {
  return checkCommon(config, path);
}

export function hasCa(config: CommonConfig): boolean {
  return config.ca_file !== '' || !config.ca_pem.isEmpty;
}
export function hasCertificate(config: CommonConfig): boolean {
  return config.cert_file !== '' || !config.cert_pem.isEmpty;
}
function hasKey(config: CommonConfig): boolean {
  return config.key_file !== '' || !config.key_pem.isEmpty;
}

function fault(path: readonly (string | number)[], message: string): ConfigFault {
  return { severity: 'error', path, message };
}

function checkCommon(config: CommonConfig, path: readonly (string | number)[]): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const add = (key: string, message: string) => faults.push(fault([...path, key], message));
  if (config.ca_file !== '' && !config.ca_pem.isEmpty) add('ca_pem', 'provide either a CA file or the PEM-encoded string, but not both');
  if (config.cert_file !== '' && !config.cert_pem.isEmpty) add('cert_pem', 'provide either certificate file or PEM, but not both');
  if (config.key_file !== '' && !config.key_pem.isEmpty) add('key_pem', 'provide either key file or PEM, but not both');
  if (hasCertificate(config) !== hasKey(config)) {
    faults.push(fault(path, 'TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)'));
  }
  const { min_version: min, max_version: max } = config;
  if (min !== '' && !Object.hasOwn(tlsVersions, min))
    add('min_version', `invalid TLS min_version: unsupported TLS version: ${JSON.stringify(min)}`);
  if (max !== '' && !Object.hasOwn(tlsVersions, max))
    add('max_version', `invalid TLS max_version: unsupported TLS version: ${JSON.stringify(max)}`);
  if (max !== '' && versionOrder.indexOf(max) >= 0 && versionOrder.indexOf(max) < versionOrder.indexOf(min === '' ? '1.2' : min)) {
    faults.push(fault(path, 'invalid TLS configuration: min_version cannot be greater than max_version'));
  }
  config.cipher_suites.forEach((suite, index) => {
    const known = opensslSuite(suite) !== undefined && (config.include_insecure_cipher_suites || !insecureSuite.test(suite));
    if (!known) faults.push(fault([...path, 'cipher_suites', index], `invalid TLS cipher suite: ${JSON.stringify(suite)}`));
  });
  config.curve_preferences.forEach((curve, index) => {
    if (Object.hasOwn(tlsCurves, curve)) return;
    const expected = Object.keys(tlsCurves).join(' ');
    faults.push(fault([...path, 'curve_preferences', index], `invalid curve type: ${curve}. Expected values are [${expected}]`));
  });
  if (config.tpm.enabled) add('tpm', 'keys in a TPM are not available in Ringtail; use key_file or key_pem');
  return faults;
}
