/** A text that never shows in logs, errors or printed configuration. Pure. */

import { inspect } from 'node:util';

export const redacted = '[REDACTED]';

/** `text` with the passwords of the addresses in it hidden: `http://user:password@host`. */
export function withoutPasswords(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:]*):[^\s/@]*@/gi, `$1:${redacted}@`);
}

/** Every way of printing it gives `[REDACTED]`; only `reveal` gives the text. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  reveal(): string {
    return this.#text;
  }
  get isEmpty(): boolean {
    return this.#text === '';
  }
  toString(): string {
    return redacted;
  }
  toJSON(): string {
    return redacted;
  }
  [inspect.custom](): string {
    return redacted;
  }
}
