/** The program as a process of its own, started on a configuration and asked where it listens. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const startLimitMs = 30_000;

export interface RingtailProcess {
  readonly child: ChildProcess;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Everything it has logged so far. */
  log(): string;
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Settles when every protocol that `configuration` gives the otlp receiver listens.
 *
 * Shape:  YAML; ports 0 are chosen by the system.
 * Errors: rejects with the log when the process ends or says nothing in time.
 */
export async function startRingtail(configuration: string, args: readonly string[] = []): Promise<RingtailProcess> {
  const child = spawn(process.execPath, ['--initial-heap-size=64', cli, '--config', `yaml:${configuration}`, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const protocols = ['grpc', 'http'].filter((name) => new RegExp(`\\b${name}: *\\{`).test(configuration));
  const portOf = (name: string) => new RegExp(`"protocol":"${name}".*"port":(\\d+)`).exec(log)?.[1];
  const endMs = performance.now() + startLimitMs;
  while (protocols.some((name) => portOf(name) === undefined)) {
    if (child.exitCode !== null || performance.now() > endMs) {
      child.kill('SIGKILL');
      throw new Error(`did not listen:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    child,
    grpcPort: Number(portOf('grpc') ?? 0),
    httpPort: Number(portOf('http') ?? 0),
    log: () => log,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
