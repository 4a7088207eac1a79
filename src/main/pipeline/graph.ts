/** The graph of `service.pipelines`: builds components, joins them, starts them back to front and drains them front to back. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type {
  Component,
  ComponentId,
  ComponentSettings,
  ComponentType,
  DrainReport,
  Exporter,
  Extension,
  Processor,
  Receiver,
  TracesConsumer,
} from './component.ts';
import { ComponentLife } from './component-state.ts';
import { fanOut } from './fan-out.ts';

export type ComponentKind = ComponentType['kind'];

/** A configured component. `type` is the component type it names; `config` is the output of that type's schema. */
export interface PlannedComponent {
  readonly id: ComponentId;
  readonly type: ComponentType;
  readonly config: unknown;
}

/** Keys of the maps and members of the lists are ids as one text: `type` or `type/name`. */
export interface GraphPlan {
  readonly receivers: ReadonlyMap<string, PlannedComponent>;
  readonly processors: ReadonlyMap<string, PlannedComponent>;
  readonly exporters: ReadonlyMap<string, PlannedComponent>;
  readonly extensions: ReadonlyMap<string, PlannedComponent>;
  readonly serviceExtensions: readonly string[];
  readonly pipelines: readonly {
    readonly id: string;
    readonly receivers: readonly string[];
    readonly processors: readonly string[];
    readonly exporters: readonly string[];
  }[];
}

/** What a component gets besides its place: everything of `ComponentSettings` but id, logger and the extension look-up. */
export type SharedSettings = Omit<ComponentSettings, 'id' | 'logger' | 'extension'>;

/** An extension that wants to know whether data is taken, as the Collector's PipelineWatcher. `ready` may be asked at any time later. */
export interface PipelineWatcher extends Extension {
  pipelinesReady(ready: () => boolean): void;
  pipelinesNotReady(): void;
}

/** One component with its place in the graph. */
export interface GraphNode {
  readonly kind: ComponentKind;
  readonly id: ComponentId;
  /** Processors only: the pipeline that the instance belongs to. */
  readonly pipeline?: string;
  readonly component: Component;
}

export interface GraphReport {
  readonly spansLost: number;
  /** Components that lost spans, failed to drain or were not done by the deadline. */
  readonly faults: readonly { readonly id: string; readonly spansLost: number; readonly reason: string }[];
}

/** How long a component may overrun its deadline before the graph goes on without it. */
const overrunMsMax = 1000;

/**
 * All components of one configuration.
 *
 * Receivers and exporters are shared by the pipelines that name them; a processor is one instance per pipeline. `drain` and `stop` follow the
 * contract of `Component`; `start` that fails stops what had started and throws the component's error.
 */
export class Graph {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #extensions = new Map<string, GraphNode>();
  readonly #exporters = new Map<string, GraphNode>();
  readonly #receivers: GraphNode[] = [];
  /** By distance from the receivers: all first processors, all second ones, and so on. */
  readonly #processorStages: GraphNode[][] = [];
  readonly #faults: { id: string; spansLost: number; reason: string }[] = [];
  readonly #life: ComponentLife;

  constructor(plan: GraphPlan, shared: SharedSettings, logger: Logger) {
    this.#logger = logger;
    this.#clock = shared.clock;
    this.#life = new ComponentLife({
      start: () => this.#start(),
      drain: (deadlineMs) => this.#drain(deadlineMs),
      stop: () => this.#stop(),
    });
    this.#build(plan, shared);
  }

  /** Every component, in starting order. */
  get nodes(): readonly GraphNode[] {
    return [...this.#extensions.values(), ...this.#exporters.values(), ...this.#processorStages.toReversed().flat(), ...this.#receivers];
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  /** Units: `deadlineMs` is on the monotonic clock. */
  async drain(deadlineMs: number): Promise<GraphReport> {
    const { spansLost } = await this.#life.drain(deadlineMs);
    return { spansLost, faults: this.#faults };
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  /** Whether data can be taken and handed on: running, and no exporter says that it cannot send. */
  ready(): boolean {
    if (!this.#life.running) return false;
    for (const { component } of this.#exporters.values()) {
      if ((component as Exporter).ready?.() === false) return false;
    }
    return true;
  }

  #build(plan: GraphPlan, shared: SharedSettings): void {
    const settingsOf = (kind: ComponentKind, id: ComponentId, pipeline?: string): ComponentSettings => ({
      ...shared,
      id,
      logger: this.#logger.child({ kind, component: id.text, ...(pipeline === undefined ? {} : { pipeline }) }),
      extension: (key) => this.#extensions.get(key)?.component as Extension | undefined,
    });
    for (const key of plan.serviceExtensions) {
      const { id, type, config } = planned(plan.extensions, key, 'extension');
      if (type.kind === 'extension')
        this.#extensions.set(key, { kind: 'extension', id, component: type.create(settingsOf('extension', id), config) });
    }
    for (const key of new Set(plan.pipelines.flatMap((pipeline) => pipeline.exporters))) {
      const { id, type, config } = planned(plan.exporters, key, 'exporter');
      if (type.kind === 'exporter')
        this.#exporters.set(key, { kind: 'exporter', id, component: type.create(settingsOf('exporter', id), config) });
    }
    const entries = new Map<string, TracesConsumer[]>();
    for (const pipeline of plan.pipelines) {
      const entry = this.#buildProcessors(plan, pipeline, settingsOf);
      for (const key of new Set(pipeline.receivers)) entries.set(key, [...(entries.get(key) ?? []), entry]);
    }
    for (const [key, consumers] of entries) {
      const { id, type, config } = planned(plan.receivers, key, 'receiver');
      if (type.kind === 'receiver') {
        const component: Receiver = type.create(settingsOf('receiver', id), config, fanOut(consumers));
        this.#receivers.push({ kind: 'receiver', id, component });
      }
    }
  }

  /** Returns what the pipeline's receivers feed. */
  #buildProcessors(
    plan: GraphPlan,
    pipeline: GraphPlan['pipelines'][number],
    settingsOf: (kind: ComponentKind, id: ComponentId, pipeline: string) => ComponentSettings,
  ): TracesConsumer {
    const exporters = [...new Set(pipeline.exporters)].map((key) => this.#exporters.get(key)?.component as Exporter);
    let next = fanOut(exporters);
    for (let stage = pipeline.processors.length - 1; stage >= 0; stage--) {
      const { id, type, config } = planned(plan.processors, pipeline.processors[stage] as string, 'processor');
      if (type.kind !== 'processor') continue;
      const component: Processor = type.create(settingsOf('processor', id, pipeline.id), config, next);
      this.#processorStages[stage] ??= [];
      this.#processorStages[stage].push({ kind: 'processor', id, pipeline: pipeline.id, component });
      next = component;
    }
    for (let stage = 0; stage < this.#processorStages.length; stage++) this.#processorStages[stage] ??= [];
    return next;
  }

  async #start(): Promise<void> {
    for (const node of this.nodes) {
      try {
        await node.component.start();
      } catch (error) {
        await this.#stop();
        throw new Error(`cannot start ${node.kind} "${node.id.text}": ${messageOf(error)}`, { cause: error });
      }
    }
    for (const watcher of this.#watchers()) watcher.pipelinesReady(() => this.ready());
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    for (const watcher of this.#watchers()) watcher.pipelinesNotReady();
    const stages = [this.#receivers, ...this.#processorStages, [...this.#exporters.values()]];
    let spansLost = 0;
    for (const [index, stage] of stages.entries()) {
      // A stage that hangs may use up half of what is left, so that those behind it can still hand on what they hold.
      const leftMs = Math.max(0, deadlineMs - this.#clock.monotonicMs());
      const shareMs = index === stages.length - 1 ? leftMs : leftMs / 2;
      const reports = await Promise.all(stage.map((node) => this.#drainNode(node, this.#clock.monotonicMs() + shareMs)));
      for (const report of reports) spansLost += report.spansLost;
    }
    return { spansLost };
  }

  async #drainNode(node: GraphNode, deadlineMs: number): Promise<DrainReport> {
    const overrun = Promise.withResolvers<'overrun'>();
    const timer = this.#clock.after(deadlineMs - this.#clock.monotonicMs() + overrunMsMax, () => overrun.resolve('overrun'));
    try {
      const report = await Promise.race([node.component.drain(deadlineMs), overrun.promise]);
      if (report === 'overrun') return this.#fault(node, 0, 'not drained by the deadline');
      return report.spansLost > 0 ? this.#fault(node, report.spansLost, 'spans left at the deadline') : report;
    } catch (error) {
      return this.#fault(node, 0, messageOf(error));
    } finally {
      timer.cancel();
    }
  }

  #fault(node: GraphNode, spansLost: number, reason: string): DrainReport {
    this.#faults.push({ id: node.id.text, spansLost, reason });
    return { spansLost };
  }

  async #stop(): Promise<void> {
    for (const watcher of this.#watchers()) watcher.pipelinesNotReady();
    for (const node of this.nodes.toReversed()) {
      try {
        await node.component.stop();
      } catch (error) {
        this.#logger.error({ kind: node.kind, component: node.id.text, error: messageOf(error) }, 'Component did not stop cleanly.');
      }
    }
  }

  #watchers(): PipelineWatcher[] {
    return [...this.#extensions.values()].map(({ component }) => component).filter(isPipelineWatcher);
  }
}

function isPipelineWatcher(component: Component): component is PipelineWatcher {
  return 'pipelinesReady' in component && 'pipelinesNotReady' in component;
}

function planned(components: ReadonlyMap<string, PlannedComponent>, key: string, kind: ComponentKind): PlannedComponent {
  const found = components.get(key);
  if (found === undefined) throw new Error(`references ${kind} "${key}" which is not configured`);
  if (found.type.kind !== kind) throw new Error(`"${key}" is a ${found.type.kind}, not a ${kind}`);
  return found;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
