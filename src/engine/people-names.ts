import type { BareJid } from '../base/id.ts';
import { lookOf } from '../base/look-alike.ts';
import type { People } from '../people/people.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';
import { personName } from './person-name.ts';

interface PeopleNamesDeps {
  readonly storage: Pick<Storage, 'account' | 'contacts'>;
  readonly people: Record<'contacts' | 'portraits', Pick<People['contacts'], 'onChange'>>;
  readonly list: Pick<SphereList, 'all' | 'onChange'>;
  readonly own: BareJid;
}

interface Name {
  readonly text: string;
  /** We chose it: whoever else is called so, we know whom we mean. */
  readonly isOurs: boolean;
}

/** What the person is called here: nobody else is taken for them. */
const OURSELVES = new Set(['You', 'Vous'].map(lookOf));
/** Addresses that nobody knows come from strangers, without end. */
const MAX_SHOWN = 20_000;

/**
 * What people are shown as, wherever they stand: what we call them, else what they call themselves, else a part of their
 * address. Nobody is taken for somebody else: where two look the same, each of them is shown with the address.
 */
export class PeopleNames {
  readonly #deps: PeopleNamesDeps;
  readonly #shown = new Map<BareJid, string>();
  /** By what a name looks like, whoever is called so; null = to be gathered anew. */
  #looks: Map<string, Set<BareJid>> | null = null;
  /** What the names hang on, by whose; most of what changes about people is whether they are online. */
  readonly #grounds = new Map<BareJid, string>();

  constructor(deps: PeopleNamesDeps) {
    this.#deps = deps;
    for (const { jid } of deps.storage.contacts.list()) this.#grounds.set(jid, this.#groundOf(jid));
    for (const { onChange } of [deps.people.contacts, deps.people.portraits]) onChange.on((jid) => this.#changed(jid));
    deps.list.onChange.on(({ changes }) => {
      if (changes.some(({ kind }) => kind === 'members' || kind === 'moved')) this.#forget();
    });
  }

  of(jid: BareJid): string {
    const known = this.#shown.get(jid);
    if (known !== undefined) return known;
    const name = this.#nameOf(jid);
    const others = this.#gathered().get(lookOf(name.text));
    const isTaken = others !== undefined && (others.size > 1 || !others.has(jid));
    const isAmbiguous = !name.isOurs && (isTaken || OURSELVES.has(lookOf(name.text)));
    const shown = isAmbiguous ? `${name.text} (${jid})` : name.text;
    if (this.#shown.size >= MAX_SHOWN) this.#shown.clear();
    this.#shown.set(jid, shown);
    return shown;
  }

  #changed(jid: BareJid): void {
    const ground = this.#groundOf(jid);
    if (this.#grounds.get(jid) === ground) return;
    this.#grounds.set(jid, ground);
    this.#forget();
  }

  #groundOf(jid: BareJid): string {
    const { text, isOurs } = this.#nameOf(jid);
    return JSON.stringify([this.#deps.storage.contacts.get(jid)?.standing ?? null, isOurs, text]);
  }

  #forget(): void {
    this.#shown.clear();
    this.#looks = null;
  }

  /** Of those whom the person knows: a stranger who is called like them changes nothing about them. */
  #gathered(): ReadonlyMap<string, ReadonlySet<BareJid>> {
    if (this.#looks !== null) return this.#looks;
    const { storage, list, own } = this.#deps;
    const contacts = storage.contacts.list().filter(({ standing }) => standing !== 'request');
    const members = list
      .all()
      .filter(({ row }) => row.state === 'joined')
      .flatMap(({ state }) => [...state.members.values()].filter((member) => member.state === 'joined'));
    const looks = new Map<string, Set<BareJid>>();
    for (const jid of new Set([own, ...[...contacts, ...members].map((one) => one.jid)])) {
      const look = lookOf(this.#nameOf(jid).text);
      looks.set(look, (looks.get(look) ?? new Set()).add(jid));
    }
    this.#looks = looks;
    return looks;
  }

  #nameOf(jid: BareJid): Name {
    const { storage, own } = this.#deps;
    if (jid === own) return { text: storage.account.nick ?? personName(jid), isOurs: false };
    const contact = storage.contacts.get(jid);
    const { name = null, nick = null } = contact ?? {};
    if (name !== null && name !== '') return { text: name, isOurs: true };
    return { text: nick ?? personName(jid), isOurs: false };
  }
}
