/** Indents the lines of multi-line flow lists and maps, where Go's YAML reader takes tabs and shallow indents and the yaml package does not. Pure. */

export interface RelaxedText {
  readonly text: string;
  /** Line (from 1) → how many columns the line moved to the right. */
  readonly shifts: ReadonlyMap<number, number>;
}

/**
 * Gives every line that begins inside `[…]` or `{…}` an indent of spaces deeper than the line that opened it.
 *
 * Shape: the number and order of lines stay. Quotes, comments and block scalars are skipped.
 */
export function relaxFlow(text: string): RelaxedText {
  const shifts = new Map<number, number>();
  const scan: FlowScan = { depth: 0, quote: '', openIndent: 0, blockIndent: -1 };
  const lines = text.split('\n').map((line, index) => {
    const lead = /^[ \t]*/.exec(line)![0];
    const body = line.slice(lead.length);
    if (scan.blockIndent >= 0 && (body.trim() === '' || lead.length > scan.blockIndent)) return line;
    scan.blockIndent = -1;
    const inFlow = scan.depth > 0;
    if (!inFlow && scan.quote === '') scan.openIndent = lead.length;
    const startedInQuote = scan.quote !== '';
    scanLine(body, scan);
    if (scan.depth === 0 && scan.quote === '' && /(^|[\s:-])[|>][-+0-9]*\s*(#.*)?$/.test(body)) scan.blockIndent = lead.length;
    if (!inFlow || startedInQuote || body.trim() === '') return line;
    if (lead.length > scan.openIndent && !lead.includes('\t')) return line;
    const indent = ' '.repeat(scan.openIndent + 2 + lead.length);
    shifts.set(index + 1, indent.length - lead.length);
    return indent + body;
  });
  return { text: lines.join('\n'), shifts };
}

interface FlowScan {
  depth: number;
  quote: string;
  openIndent: number;
  /** Indent of the line that opened a block scalar; -1 outside. */
  blockIndent: number;
}

function scanLine(body: string, scan: FlowScan): void {
  let before = ' ';
  for (let position = 0; position < body.length; position++) {
    const character = body[position]!;
    if (scan.quote !== '') {
      if (scan.quote === '"' && character === '\\') position++;
      else if (character === scan.quote) scan.quote = '';
    } else if (character === '#' && /\s/.test(before)) return;
    else if ((character === '"' || character === "'") && /[\s,[{:]/.test(before)) scan.quote = character;
    else if (character === '[' || character === '{') {
      if (scan.depth > 0 || /[\s[{,]/.test(before)) scan.depth++;
    } else if ((character === ']' || character === '}') && scan.depth > 0) scan.depth--;
    before = character;
  }
}
