/** Routing by attributes (and by service, which is one attribute): the key of a run, in the Collector's encoding, and its owner. Main thread. */

import { Buffer } from 'node:buffer';
import type { Placement } from '../../../discovery/placement.ts';
import { resourceRow, runRow, scopeRow } from '../../../shared/arena/rows.ts';
import { WireReader } from '../../../shared/otlp/wire-reader.ts';
import type { Arena } from '../../arena/arena.ts';
import { readPair, utf8, valueText } from './attribute-text.ts';
import type { OwnerOfRun } from './slice-router.ts';

const word = 2;
const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];

/** Values found so far, one per routing attribute; undefined is not found. */
type Values = readonly (string | undefined)[];

interface ScopeKeys {
  /** What resource and scope give. */
  readonly values: Values;
  /** Owner of all its runs, when no span is needed for the key; else -1. */
  readonly owner: number;
  /** Trace id → owner: all spans of a trace within a scope follow the first. */
  readonly byTrace: Map<string, number>;
}

/** Source: the Collector's routingIdentifiersFromTraces: `name=value|` per attribute, looked up in resource, scope, pseudo names, first span. */
export class OwnerByAttributes implements OwnerOfRun {
  readonly #names: readonly string[];
  readonly #words: Uint32Array;
  readonly #memory: Uint8Array;
  readonly #reader = new WireReader();
  #placement!: Placement;
  #resources = new Map<number, Values>();
  #scopes = new Map<number, ScopeKeys>();

  constructor(arena: Arena, names: readonly string[]) {
    this.#names = names;
    this.#words = new Uint32Array(arena.memory.buffer);
    this.#memory = new Uint8Array(arena.memory.buffer);
  }

  begin(placement: Placement): void {
    this.#placement = placement;
    this.#resources.clear();
    this.#scopes.clear();
  }

  ownerOf(runPtr: number): number {
    const scopePtr = this.#words[(runPtr + runRow.scope) >>> word];
    let scope = this.#scopes.get(scopePtr);
    if (scope === undefined) {
      scope = this.#scopeKeys(scopePtr);
      this.#scopes.set(scopePtr, scope);
    }
    if (scope.owner >= 0) return scope.owner;
    const idPtr = this.#words[(runPtr + runRow.traceId) >>> word];
    const traceId = Buffer.from(this.#memory.buffer, idPtr, 16).toString('latin1');
    let owner = scope.byTrace.get(traceId);
    if (owner === undefined) {
      owner = this.#ownerOfValues(this.#spanValues(this.#words[(runPtr + runRow.spans) >>> word], scope.values));
      scope.byTrace.set(traceId, owner);
    }
    return owner;
  }

  #ownerOfValues(values: Values): number {
    let key = '';
    for (let index = 0; index < this.#names.length; index++) key += `${this.#names[index]}=${values[index] ?? ''}|`;
    return this.#placement.ownerOfKey(Buffer.from(key, 'utf8'));
  }

  #scopeKeys(scopePtr: number): ScopeKeys {
    const resourcePtr = this.#words[(scopePtr + scopeRow.resource) >>> word];
    let resource = this.#resources.get(resourcePtr);
    if (resource === undefined) {
      const none: Values = this.#names.map(() => undefined);
      resource = this.#valuesOfPieces(resourcePtr + resourceRow.firstPiece, 1, none);
      this.#resources.set(resourcePtr, resource);
    }
    const values = this.#valuesOfPieces(scopePtr + scopeRow.firstPiece, 3, resource);
    const owner = values.every((value) => value !== undefined) ? this.#ownerOfValues(values) : -1;
    return { values, owner, byTrace: new Map() };
  }

  /** Both pieces of a row; field 1 in them is Resource (attributes = 1) or InstrumentationScope (attributes = 3). */
  #valuesOfPieces(piecePtr: number, attributesField: number, known: Values): Values {
    let values = known;
    for (const at of [piecePtr, piecePtr + 8]) {
      const start = this.#words[at >>> word];
      const end = start + this.#words[(at + 4) >>> word];
      this.#eachField(start, end, 1, (bodyStart, bodyEnd) => {
        values = this.#valuesOfMessage(bodyStart, bodyEnd, attributesField, values);
      });
    }
    return values;
  }

  /** The first attribute of a name counts; what is known already stays. */
  #valuesOfMessage(start: number, end: number, attributesField: number, known: Values): Values {
    const values = [...known];
    this.#eachField(start, end, attributesField, (pairStart, pairEnd) => {
      const pair = readPair(this.#memory, pairStart, pairEnd);
      for (let index = 0; index < values.length; index++) {
        if (values[index] !== undefined || this.#names[index] !== pair.key) continue;
        values[index] = pair.valueEnd === 0 ? '' : valueText(this.#memory, pair.value, pair.valueEnd);
      }
    });
    return values;
  }

  /** Span: name = 5, kind = 6, attributes = 9. The pseudo names come before the span's own attributes. */
  #spanValues(spanPtr: number, known: Values): Values {
    const reader = this.#reader;
    reader.at(this.#memory, spanPtr);
    reader.varint();
    const length = reader.varint();
    const start = reader.position;
    const end = start + length;
    let name = '';
    let kind = 0;
    while (reader.position < end) {
      const tag = reader.varint();
      if (tag === 0x2a) {
        const nameLength = reader.varint();
        name = utf8(this.#memory, reader.position, reader.position + nameLength);
        reader.position += nameLength;
      } else if (tag === 0x30) kind = reader.varint();
      else reader.skip(tag);
    }
    const pseudo = known.map((value, index) => {
      if (value !== undefined) return value;
      if (this.#names[index] === 'span.kind') return kinds[kind] ?? '';
      return this.#names[index] === 'span.name' ? name : undefined;
    });
    return this.#valuesOfMessage(start, end, 9, pseudo);
  }

  #eachField(start: number, end: number, wanted: number, visit: (start: number, end: number) => void): void {
    const reader = this.#reader;
    let position = start;
    while (position < end) {
      reader.at(this.#memory, position);
      const tag = reader.varint();
      if (tag !== wanted * 8 + 2) {
        reader.skip(tag);
        position = reader.position;
        continue;
      }
      const length = reader.varint();
      const bodyStart = reader.position;
      position = bodyStart + length;
      visit(bodyStart, position);
    }
  }
}
