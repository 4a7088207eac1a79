/** The process's log: pino behind the few calls that components use. Main thread. */

/** `fields` is plain data; `message` is a sentence without data in it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}
