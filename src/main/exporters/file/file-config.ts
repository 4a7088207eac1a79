/** The fields of the file exporter and the checks across them, in the Collector's words. Main thread. */

import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import { bool, duration, type Infer, int, object, presence, string } from '../../config/fields.ts';

/** Source: fileexporter's Config, v0.161. */
export const fileSchema = object({
  path: string().describe('The file to write to.'),
  append: bool().describe('Writes behind what is there; otherwise the file is emptied at the start.'),
  rotation: presence(
    object({
      max_megabytes: int({ min: 0 }).describe('A file is set aside before it grows larger than this; 0 = 100.'),
      max_days: int({ min: 0 }).describe('Files set aside are removed when they are older; 0 = never.'),
      max_backups: int({ min: 0 }).default(100).describe('Files set aside that are kept; 0 = all.'),
      localtime: bool().describe('Names of files set aside carry local time instead of UTC.'),
    }),
  ).optional(),
  format: string()
    .default('json')
    .describe('json: one OTLP/JSON request a line. proto: requests, each behind its length in four bytes, big endian.'),
  encoding: string().describe('Not available in Ringtail: encoding extensions.'),
  compression: string().describe('zstd: each request is compressed by itself and stands behind its length, json too.'),
  compression_params: object({ level: int().describe('Level of zstd; 0 = 3.') }),
  flush_interval: duration().describe('Read and without effect: what is acknowledged has been written.'),
  group_by: object({
    enabled: bool(),
    resource_attribute: string().default('fileexporter.path_segment'),
    max_open_files: int().default(100),
  }).describe('Not available in Ringtail: files by resource attribute.'),
  create_directory: bool().describe('Makes the folders of path at the start.'),
  directory_permissions: string().describe('Octal permissions of those folders; not written: 0755.'),
});
export type FileConfig = Infer<typeof fileSchema>;

export const directoryModeDefault = 0o755;

export function checkFile(config: FileConfig, path: ConfigPath): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string): void => {
    faults.push({ severity: 'error', path: [...path, key], message });
  };
  if (config.path === '') fault('path', 'path must be non-empty');
  if (config.append && config.rotation !== undefined) fault('append', 'append and rotation enabled at the same time is not supported');
  if (config.format !== 'json' && config.format !== 'proto')
    fault('format', `format type is not supported: "${config.format}"; one of json, proto`);
  if (config.compression !== '' && config.compression !== 'zstd')
    fault('compression', `compression is not supported: "${config.compression}"; write zstd or leave it out`);
  if (config.flush_interval < 0) fault('flush_interval', 'flush_interval must be larger than zero');
  if (config.encoding !== '') fault('encoding', 'encoding extensions are not available in Ringtail; write format: json or format: proto');
  if (config.group_by.enabled) fault('group_by', 'files by resource attribute are not available in Ringtail; write one file exporter');
  const permissions = config.directory_permissions;
  if (!config.create_directory && permissions !== '')
    fault('directory_permissions', 'directory_permissions requires create_directory to be true');
  else if (permissions !== '' && !/^0?o?[0-7]+$/.test(permissions))
    fault('directory_permissions', 'directory_permissions value must be a valid octal representation');
  else if (permissions !== '' && directoryModeOf(config) > 0o777)
    fault('directory_permissions', 'directory_permissions contain invalid bits for file access');
  return faults;
}

export function directoryModeOf(config: FileConfig): number {
  return config.directory_permissions === '' ? directoryModeDefault : Number.parseInt(config.directory_permissions.replace('o', ''), 8);
}
