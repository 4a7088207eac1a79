/** Converters over XML. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { EntryMap, ItemSlice, OttlError, type OttlValue, type PData, type PMap } from '../values.ts';
import { goTrimSpace } from './case-words.ts';
import { map1, map2 } from './map-arguments.ts';
import { addChild, parseXmlRoot, parseXmlTree, removeFromTree, writeXml, type XmlNode, xmlNode } from './xml-tree.ts';
import { compileXPath, textOfItem, type XPathItem } from './xpath.ts';

/** ParseXML's maps: tag, content, attributes, children. */
function toMap(node: XmlNode): PMap {
  const entries: [string, PData][] = [['tag', node.data]];
  const text = node.children.map((child) => (child.type === 'text' || child.type === 'cdata' ? goTrimSpace(child.data) : '')).join('');
  if (text !== '') entries.push(['content', text]);
  if (node.attributes.length > 0) {
    entries.push(['attributes', new EntryMap([...new Map(node.attributes.map((each) => [each.name, each.value]))])]);
  }
  const children = node.children.filter((child) => child.type === 'element');
  if (children.length > 0) entries.push(['children', new ItemSlice(children.map(toMap))]);
  return new EntryMap(entries);
}

/** Text of an element that holds no elements: its first text. */
function leafText(node: XmlNode): string {
  if (node.children.some((child) => child.type === 'element')) return '';
  return node.children.find((child) => child.type === 'text' || child.type === 'cdata')?.data ?? '';
}

/** ParseSimplifiedXML's maps: elements by name, lists where a name occurs more than once, empty ones left out. */
function simplified(parent: XmlNode): PMap {
  const elements = parent.children.filter((child) => child.type === 'element');
  const counts = new Map<string, number>();
  for (const { data } of elements) counts.set(data, (counts.get(data) ?? 0) + 1);
  const found = new Map<string, PData | PData[]>();
  for (const child of elements) {
    if (child.children.length === 0) continue;
    const several = counts.get(child.data)! > 1;
    if (several && !found.has(child.data)) found.set(child.data, []);
    let value: PData = leafText(child);
    if (value === '') {
      const map = simplified(child);
      if (map.entries().length === 0) continue;
      value = map;
    }
    if (several) (found.get(child.data) as PData[]).push(value);
    else found.set(child.data, value);
  }
  return new EntryMap([...found].map(([key, value]) => [key, Array.isArray(value) ? new ItemSlice(value) : value]));
}

/** Changes a document at what the path selects and writes it. */
function edited(
  text: string,
  select: (root: XmlNode) => XPathItem[],
  edit: (items: XPathItem[], document: XmlNode) => OttlError | undefined,
): string | OttlError {
  const document = parseXmlTree(text);
  if (document instanceof OttlError) return document;
  return edit(select(document), document) ?? writeXml(document);
}

function getXml(items: XPathItem[]): string {
  let out = '';
  for (const item of items) {
    if (item.type === 'element' || item.type === 'text') out += writeXml(item);
    else if (item.type === 'attribute' || item.type === 'cdata') out += writeXml(xmlNode('text', textOfItem(item)));
  }
  return out;
}

/** Attributes go last to first, so that the positions of the others stay. */
function removeXml(items: XPathItem[]): undefined {
  for (const item of items.toReversed()) {
    if (item.type === 'attribute') item.owner.attributes.splice(item.index, 1);
    else if (item.type === 'text') item.data = '';
    else if (item.type === 'element' || item.type === 'comment' || item.type === 'cdata') removeFromTree(item);
  }
}

function attributesToElements(items: XPathItem[]): undefined {
  const attributes = items.filter((item) => item.type === 'attribute');
  for (const { owner, index } of attributes) {
    const { name, value } = owner.attributes[index]!;
    const element = xmlNode('element', name);
    addChild(element, xmlNode('text', value));
    addChild(owner, element);
  }
  removeXml(attributes);
}

/** Wraps text that stands beside elements or other text. */
function wrapText(parent: XmlNode, name: string): void {
  if (parent.type !== 'element' && parent.type !== 'document') return;
  const elements = parent.children.filter((child) => child.type === 'element');
  for (const child of elements) wrapText(child, name);
  const texts = parent.children.filter((child) => child.type === 'text');
  if (texts.length === 0 || elements.length + texts.length <= 1) return;
  for (const text of texts) {
    const inside = xmlNode('text', text.data);
    text.type = 'element';
    text.data = name;
    addChild(text, inside);
  }
}

/** Adds the nodes of the sub-document to what is selected; they move on from one to the next, as in the Collector. */
function insertXml(items: XPathItem[], subDocument: XmlNode): OttlError | undefined {
  let fault: OttlError | undefined;
  for (const item of items) {
    if (item.type === 'element' || item.type === 'document') for (const child of subDocument.children) item.children.push(child);
    else
      fault ??= new OttlError(
        `InsertXML XPath selected non-element: "${item.type === 'attribute' ? item.owner.attributes[item.index]!.name : item.data}"`,
      );
  }
  return fault;
}

export const xmlConverters: readonly Converter[] = [
  converter('ParseXML', ['Target StringGetter'], ([target]) =>
    map1<string>(target, (text): OttlValue | OttlError => {
      const root = parseXmlRoot(text);
      return root instanceof OttlError ? root : toMap(root);
    }),
  ),
  converter('ParseSimplifiedXML', ['Target StringGetter'], ([target]) =>
    map1<string>(target, (text): OttlValue | OttlError => {
      const document = parseXmlTree(text);
      return document instanceof OttlError ? document : simplified(document);
    }),
  ),
  converter('GetXML', ['Target StringGetter', 'XPath string'], ([target, path]) => {
    const select = compileXPath(path);
    return map1<string>(target, (text) => {
      const document = text === '' ? xmlNode('document') : parseXmlTree(text);
      return document instanceof OttlError ? document : getXml(select(document));
    });
  }),
  converter('RemoveXML', ['Target StringGetter', 'XPath string'], ([target, path]) => {
    const select = compileXPath(path);
    return map1<string>(target, (text) => (text === '' ? '' : edited(text, select, removeXml)));
  }),
  converter('InsertXML', ['Target StringGetter', 'XPath string', 'SubDocument StringGetter'], ([target, path, subDocument]) => {
    const select = compileXPath(path);
    return map2<string, string>(target, subDocument, (text, subText) => {
      const sub = parseXmlTree(subText);
      return sub instanceof OttlError ? sub : edited(text, select, (items) => insertXml(items, sub));
    });
  }),
  converter('ConvertAttributesToElementsXML', ['Target StringGetter', 'XPath string?'], ([target, path]) => {
    const select = compileXPath(path || '//@*');
    return map1<string>(target, (text) => edited(text, select, attributesToElements));
  }),
  converter('ConvertTextToElementsXML', ['Target StringGetter', 'XPath string?', 'ElementName string?'], ([target, path, name]) => {
    const select = compileXPath(path || '/');
    return map1<string>(target, (text) =>
      edited(text, select, (items) => {
        for (const item of items) if (item.type !== 'attribute') wrapText(item, name || 'value');
        return undefined;
      }),
    );
  }),
];
