/** Prints a configuration after the rules rewrote it, comments kept. Main thread. */

import { Document, isSeq, type Node, visit } from 'yaml';
import type { CanonicalSource } from './load-configuration.ts';

/** The configuration alone, out of its wrapper, in the document's own style. */
export function printCanonical(source: CanonicalSource): string {
  const { document, node } = source;
  if (document === undefined || node === null) return '';
  const style = { lineWidth: 0, indentSeq: !hasFlushLists(source), flowCollectionPadding: false } as const;
  if (document.contents === node) return document.toString(style);
  const alone = new Document(null, { schema: 'failsafe', customTags: ['null'] });
  alone.contents = node as Node as never;
  return alone.toString(style);
}

/** Whether the writer keeps the dashes of a list under the key that holds it. */
function hasFlushLists(source: CanonicalSource): boolean {
  let flush = false;
  visit(source.node as Node, {
    Pair(_, pair) {
      const key = (pair.key as Node | null)?.range?.[0];
      const list = isSeq(pair.value) && pair.value.flow !== true ? pair.value.range?.[0] : undefined;
      if (key !== undefined && list !== undefined && source.columnOf(list) === source.columnOf(key)) flush = true;
    },
  });
  return flush;
}
