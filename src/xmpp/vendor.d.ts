declare module 'ltx/lib/Element.js' {
  export type Attributes = Record<string, string | undefined>;

  export class Element {
    constructor(name: string, attrs?: Attributes);
    name: string;
    parent: Element | null;
    children: (Element | string)[];
    attrs: Attributes;
    is(name: string, xmlns?: string): boolean;
    getName(): string;
    getNS(): string | undefined;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getChildText(name: string, xmlns?: string): string | null;
    getChildElements(): Element[];
    getText(): string;
    text(): string;
    append(...nodes: (Element | string)[]): void;
    remove(child: Element): this;
    t(text: string): this;
    toString(): string;
  }

  export default Element;
}

declare module 'ltx/lib/createElement.js' {
  import type { Element } from 'ltx/lib/Element.js';

  type Child = Element | string | undefined | null | false | readonly Child[];
  export default function createElement(
    name: string,
    attrs?: Record<string, string | number | undefined> | null,
    ...children: Child[]
  ): Element;
}

declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events';
  import type { Element } from 'ltx/lib/Element.js';

  export interface Jid {
    toString(): string;
  }

  export interface QueuedStanza {
    readonly stanza: Element;
    readonly stamp: string;
  }

  export interface StreamManagement extends EventEmitter {
    enabled: boolean;
    id: string | undefined;
    outbound_q: QueuedStanza[];
    outbound: number;
    inbound: number;
    requestAckInterval: number;
  }

  export interface Transport {
    readonly prototype: {
      Socket: unknown;
      Parser: unknown;
      socketParameters(service: string): object | undefined;
    };
  }

  export interface IqContext {
    readonly stanza: Element;
    readonly element: Element;
  }

  export interface Mechanism {
    readonly name: string;
    readonly clientFirst: boolean;
    response(credentials: unknown): Promise<string> | string;
    challenge(text: string): Promise<void> | void;
  }

  export interface SaslFactory {
    _mechs: { readonly name: string; readonly mech: new () => Mechanism }[];
  }

  type IqHandler = (context: IqContext) => Promise<Element | Record<string, never>>;

  export interface Client extends EventEmitter {
    jid: Jid | null;
    status: string;
    timeout: number;
    transports: Transport[];
    /** Our own: see `Transport`. */
    parser: { write(data: Uint8Array): void; stop(): void } | null;
    readonly saslFactory: SaslFactory;
    readonly streamManagement: StreamManagement;
    readonly reconnect: { stop(): void };
    readonly iqCallee: {
      get(xmlns: string, name: string, handler: IqHandler): void;
      set(xmlns: string, name: string, handler: IqHandler): void;
    };
    connect(service: string): Promise<unknown>;
    open(options: { domain: string }): Promise<unknown>;
    stop(): Promise<unknown>;
    disconnect(): Promise<unknown>;
    send(element: Element): Promise<void>;
    _jid(jid: string): void;
    _onData(data: Uint8Array): void;
    _onStreamError(element: Element): void;
  }

  export type Authenticate = (
    credentials: { username: string; password: string },
    mechanism: string,
    userAgent?: Element,
  ) => Promise<void>;

  export interface ClientOptions {
    readonly service: string;
    readonly domain: string;
    readonly username: string;
    readonly resource?: string;
    readonly timeout?: number;
    readonly credentials: (
      authenticate: Authenticate,
      mechanisms: readonly string[],
      fast: unknown,
      entity: { isSecure(): boolean },
    ) => Promise<void>;
  }

  export function client(options: ClientOptions): Client;
}
