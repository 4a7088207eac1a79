/** Prints a configuration after the rules rewrote it, comments kept. Main thread. */

import { Document, isPair, isScalar, isSeq, type Node, Scalar, visit } from 'yaml';
import type { CanonicalSource } from './load-configuration.ts';
import type { YamlDocument } from './yaml-source.ts';

/** The configuration alone, out of its wrapper, in the document's own style. */
export function printCanonical(source: CanonicalSource): string {
  const { document, node } = source;
  if (document === undefined || node === null) return '';
  const style = { lineWidth: 0, indentSeq: !hasFlushLists(source), flowCollectionPadding: false } as const;
  spellNullsInFlow(node);
  if (document.contents === node) {
    resolveAliases(document, document);
    return document.toString(style);
  }
  const alone = new Document(null, { schema: 'failsafe', customTags: ['null'] });
  alone.contents = node as Node as never;
  resolveAliases(alone, document);
  return alone.toString(style);
}

/** An anchor that stood outside comes in with its first alias; an alias of nothing, which is told as a fault, is printed as the text that it is. */
function resolveAliases(printed: Document | YamlDocument, original: YamlDocument): void {
  visit(printed as Document, {
    Alias(_, alias) {
      if (alias.resolve(printed as Document) !== undefined) return undefined;
      return (alias.resolve(original as Document)?.clone() as Node | undefined) ?? new Scalar(`*${alias.source}`);
    },
  });
}

/** `{grpc: }` would be printed as `{grpc:}`, which readers take differently. */
function spellNullsInFlow(node: Node): void {
  visit(node, {
    Map(_, map) {
      if (map.flow !== true) return;
      for (const pair of map.items) if (isPair(pair) && isScalar(pair.value) && pair.value.value === null) pair.value.source = 'null';
    },
  });
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
