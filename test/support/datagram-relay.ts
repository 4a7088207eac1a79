/** Stands between a resolver and its name server on UDP, and spoils what passes. */

import { createSocket, type Socket } from 'node:dgram';

export interface DatagramRelay {
  readonly address: string;
  /** What becomes of an answer; undefined loses it. */
  onAnswer: (answer: Buffer) => Buffer | undefined;
  /** What the relay itself answers to a question; undefined passes the question on. */
  onQuestion: (question: Buffer) => Buffer | undefined;
  /** Closes the port, so that questions are refused. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startRelay(target: string): Promise<DatagramRelay> {
  const [host, targetPort] = target.split(':');
  let socket: Socket | undefined;
  let port = 0;
  const relay: DatagramRelay = {
    get address() {
      return `127.0.0.1:${port}`;
    },
    onAnswer: (answer) => answer,
    onQuestion: () => undefined,
    async down() {
      const closing = socket;
      socket = undefined;
      if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()));
    },
    async up() {
      const front = createSocket('udp4');
      await new Promise<void>((resolve) => front.bind(port, '127.0.0.1', resolve));
      port = front.address().port;
      socket = front;
      front.on('message', (question, from) => {
        const reply = (answer: Buffer) => socket === front && front.send(answer, from.port, from.address);
        const own = relay.onQuestion(question);
        if (own) {
          reply(own);
          return;
        }
        const back = createSocket('udp4');
        const limit = setTimeout(() => back.close(), 2_000).unref();
        back.on('error', () => {});
        back.once('message', (answer) => {
          clearTimeout(limit);
          back.close();
          const spoiled = relay.onAnswer(answer);
          if (spoiled) reply(spoiled);
        });
        back.unref();
        back.send(question, Number(targetPort), host);
      });
    },
  };
  await relay.up();
  return relay;
}
