/** The error of a component that cannot run as configured. Main thread. */

/** `code` is stable for programs; the message says what failed, on which address or file, and what to do. */
export class ComponentStartError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'ComponentStartError';
    this.code = code;
  }
}
