/** One record of comma-separated values as Go's encoding/csv reads it, lines joined to one row. Any thread. */

import { OttlError } from '../values.ts';

const bareQuote = 'bare " in non-quoted-field';
const extraneousQuote = 'extraneous or missing " in quoted-field';

interface Reader {
  readonly lines: readonly string[];
  line: number;
}

function fault(reader: Reader, startLine: number, column: number, reason: string): OttlError {
  if (startLine !== reader.line)
    return new OttlError(`read csv line: record on line ${startLine}; parse error on line ${reader.line}, column ${column}: ${reason}`);
  return new OttlError(`read csv line: parse error on line ${reader.line}, column ${column}: ${reason}`);
}

/** Lines with their newline; a carriage return before it is dropped. */
function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line, i, all) => {
    if (i < all.length - 1) return `${line.endsWith('\r') ? line.slice(0, -1) : line}\n`;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  });
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

const bytesBefore = (line: string, at: number): number => Buffer.byteLength(line.slice(0, at)) + 1;

/** A quoted field from behind its opening quote; may go over several lines. */
function quotedField(
  reader: Reader,
  startLine: number,
  line: string,
  from: number,
  comma: string,
  lazy: boolean,
): { text: string; line: string; at: number; more: boolean } | OttlError {
  let text = '';
  let current = line;
  let at = from;
  for (;;) {
    const quote = current.indexOf('"', at);
    if (quote >= 0) {
      text += current.slice(at, quote);
      at = quote + 1;
      if (current[at] === '"') {
        text += '"';
        at++;
      } else if (current.startsWith(comma, at)) return { text, line: current, at: at + comma.length, more: true };
      else if (current.slice(at) === '' || current.slice(at) === '\n') return { text, line: current, at: current.length, more: false };
      else if (lazy) text += '"';
      else return fault(reader, startLine, bytesBefore(current, quote), extraneousQuote);
      continue;
    }
    text += current.slice(at);
    const next = reader.lines[reader.line];
    if (next === undefined) {
      if (!lazy) return fault(reader, startLine, bytesBefore(current, current.length), extraneousQuote);
      return { text, line: current, at: current.length, more: false };
    }
    reader.line++;
    current = next;
    at = 0;
  }
}

function record(reader: Reader, comma: string, lazy: boolean): string[] | OttlError {
  const startLine = reader.line + 1;
  let line = reader.lines[reader.line++]!;
  let at = 0;
  const fields: string[] = [];
  for (;;) {
    if (line[at] === '"') {
      const field = quotedField(reader, startLine, line, at + 1, comma, lazy);
      if (field instanceof OttlError) return fields.length === 0 ? field : fields;
      fields.push(field.text);
      if (!field.more) return fields;
      line = field.line;
      at = field.at;
      continue;
    }
    const end = line.indexOf(comma, at);
    const text = end < 0 ? line.slice(at).replace(/\n$/, '') : line.slice(at, end);
    const quote = text.indexOf('"');
    if (!lazy && quote >= 0) return fields.length === 0 ? fault(reader, startLine, bytesBefore(line, at + quote), bareQuote) : fields;
    fields.push(text);
    if (end < 0) return fields;
    at = end + comma.length;
  }
}

/**
 * The fields of `row`: a newline outside of quotes belongs to the field it stands in.
 *
 * Errors: no line at all, or a quote out of place in the first field of a line (in a later one the fields before it count, as in the Collector).
 */
export function readCsvRow(row: string, comma: string, lazyQuotes: boolean): string[] | OttlError {
  const reader: Reader = { lines: linesOf(row), line: 0 };
  let joined: string[] | undefined;
  while (reader.line < reader.lines.length) {
    if (reader.lines[reader.line] === '\n') {
      reader.line++;
      continue;
    }
    const fields = record(reader, comma, lazyQuotes);
    if (fields instanceof OttlError) return fields;
    if (joined === undefined) joined = fields;
    else {
      joined[joined.length - 1] += `\n${fields[0]}`;
      joined.push(...fields.slice(1));
    }
  }
  return joined ?? new OttlError('no csv lines found');
}
