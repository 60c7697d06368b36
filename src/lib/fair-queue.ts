import { Link, LinkedList } from "./linked-list.ts";

/** Entries that are compared with one that is given back. */
const MAX_STEPS = 64;

type Place<T> = Group<T> | Member<T>;

/** Places that take turns with each other: the members of a group, or the groups within a group. */
export class Group<T> {
  /** Undefined for the root of a queue. */
  readonly parent: Group<T> | undefined;
  /** Places with items in the queue, the next one first. */
  readonly waiting = new LinkedList<Place<T>>();
  readonly link: Link<Place<T>> = new Link<Place<T>>(this);

  constructor(parent?: Group<T>) {
    this.parent = parent;
  }

  get empty(): boolean {
    return this.waiting.size === 0;
  }
}

/** A place that queues items of its own. */
export class Member<T> {
  readonly parent: Group<T>;
  readonly entries = new LinkedList<Entry<T>>();
  readonly link: Link<Place<T>> = new Link<Place<T>>(this);

  constructor(parent: Group<T>) {
    this.parent = parent;
  }

  get empty(): boolean {
    return this.entries.size === 0;
  }
}

/** An item of a member. It can be queued again after it has been taken or removed. */
export class Entry<T> {
  readonly item: T;
  readonly member: Member<T>;
  readonly link: Link<Entry<T>> = new Link<Entry<T>>(this);
  /** The place among all entries of the queue by age. */
  readonly ageLink: Link<Entry<T>> = new Link<Entry<T>>(this);

  constructor(item: T, member: Member<T>) {
    this.item = item;
    this.member = member;
  }
}

/**
 * A queue with round-robin turns in a tree. The groups in `root` take turns; within a group its groups or members take
 * turns; a member's items keep their order. A group contains either groups or members.
 *
 * Between two items of one place, each sibling with items in the queue gets one. Neither more members nor more items
 * increase the share of a group.
 *
 * Operations take constant time for a given depth of the tree. Only a filter adds to it: one step for each group that
 * it rejects. Those groups keep their turn.
 */
export class FairQueue<T> {
  readonly root = new Group<T>();
  readonly #byAge = new LinkedList<Entry<T>>();

  get size(): number {
    return this.#byAge.size;
  }

  /** The item that has been in the queue for the longest time. */
  get oldest(): T | undefined {
    return this.#byAge.first?.item;
  }

  /**
   * Returns the item that `take` would remove.
   * @param accepts filter on the next item of each group of members; groups whose next item it rejects are passed over
   */
  next(accepts?: (item: T) => boolean): T | undefined {
    return nextEntry(this.root, accepts)?.item;
  }

  /** Removes and returns the next item. The member and the groups that it belongs to have had their turn. */
  take(accepts?: (item: T) => boolean): T | undefined {
    const entry = nextEntry(this.root, accepts);
    if (entry === undefined) return undefined;
    this.remove(entry);
    for (let place: Place<T> = entry.member; place.parent !== undefined; place = place.parent) {
      if (place.parent.waiting.remove(place.link)) place.parent.waiting.append(place.link);
    }
    return entry.item;
  }

  add(entry: Entry<T>): void {
    entry.member.entries.append(entry.link);
    this.#join(entry);
  }

  /** Puts the entry before all others of its member. The member still waits for its turn. */
  addFirst(entry: Entry<T>): void {
    entry.member.entries.prepend(entry.link);
    this.#join(entry);
  }

  /**
   * Undoes a `take`: the member of the entry has the next turn.
   * @param isBehind returns whether another item of the member has its place behind this one
   * @param isYounger returns whether another item has been in the queue for a shorter time
   */
  giveBack(entry: Entry<T>, isBehind: (item: T) => boolean, isYounger: (item: T) => boolean): void {
    insert(entry.member.entries, entry.link, isBehind);
    insert(this.#byAge, entry.ageLink, isYounger);
    for (let place: Place<T> = entry.member; place.parent !== undefined; place = place.parent) {
      place.parent.waiting.remove(place.link);
      place.parent.waiting.prepend(place.link);
    }
  }

  /** Returns false when the entry is not in the queue. */
  remove(entry: Entry<T>): boolean {
    if (!entry.member.entries.remove(entry.link)) return false;
    this.#byAge.remove(entry.ageLink);
    for (let place: Place<T> = entry.member; place.empty && place.parent !== undefined; place = place.parent) {
      place.parent.waiting.remove(place.link);
    }
    return true;
  }

  /** Replaces an entry in the queue by another of the same member. The turn and the age stay. */
  replace(entry: Entry<T>, by: Entry<T>): void {
    if (entry.member !== by.member) throw new Error("fair queue: an entry is replaced by one of another member");
    entry.member.entries.replace(entry.link, by.link);
    this.#byAge.replace(entry.ageLink, by.ageLink);
  }

  #join(entry: Entry<T>): void {
    this.#byAge.append(entry.ageLink);
    for (let place: Place<T> = entry.member; place.parent !== undefined && !place.link.list; place = place.parent) {
      place.parent.waiting.append(place.link);
    }
  }
}

function nextEntry<T>(group: Group<T>, accepts: ((item: T) => boolean) | undefined): Entry<T> | undefined {
  for (let link = group.waiting.firstLink; link !== undefined; link = link.next) {
    const place = link.value;
    if (place instanceof Member) {
      const entry = place.entries.first;
      return entry === undefined || accepts === undefined || accepts(entry.item) ? entry : undefined;
    }
    const entry = nextEntry(place, accepts);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Puts an entry before the first one that is behind it, looking at a limited number of others. */
function insert<T>(entries: LinkedList<Entry<T>>, link: Link<Entry<T>>, isBehind: (item: T) => boolean): void {
  let next = entries.firstLink;
  for (let steps = 0; steps < MAX_STEPS && next !== undefined && !isBehind(next.value.item); steps++) next = next.next;
  if (next === undefined) entries.append(link);
  else entries.insertBefore(next, link);
}
