import { Link, LinkedList } from "./linked-list.ts";

/** Those who share one place in the rotation, for instance the channels of one session. */
export class Group<T> {
  readonly members = new LinkedList<Member<T>>();
  readonly link: Link<Group<T>> = new Link<Group<T>>(this);
}

/** One who queues, within a group. */
export class Member<T> {
  readonly group: Group<T>;
  readonly entries = new LinkedList<Entry<T>>();
  readonly link: Link<Member<T>> = new Link<Member<T>>(this);

  constructor(group: Group<T>) {
    this.group = group;
  }
}

/** An item's place in the queue; use it again to queue the item again. */
export class Entry<T> {
  readonly item: T;
  readonly member: Member<T>;
  readonly link: Link<Entry<T>> = new Link<Entry<T>>(this);
  readonly age: Link<Entry<T>> = new Link<Entry<T>>(this);

  constructor(item: T, member: Member<T>) {
    this.item = item;
    this.member = member;
  }
}

/** A queue that serves groups in turn, members of a group in turn, and items of a member in order.
 *
 *  Between two items of one group, every other group that has something waiting gets one; the same holds for the members of
 *  a group. So nobody gains by opening more channels or by queueing more. Every operation is constant time, but for one step for
 *  each group that is passed over because it is not admitted; those keep their place. */
export class FairQueue<T> {
  readonly #groups = new LinkedList<Group<T>>();
  readonly #byAge = new LinkedList<Entry<T>>();

  get size(): number {
    return this.#byAge.size;
  }

  /** The item that was added before all others still here. */
  get oldest(): T | undefined {
    return this.#byAge.first?.item;
  }

  /** What `take` would give. Groups whose next item is not admitted are passed over. */
  next(admits?: (item: T) => boolean): T | undefined {
    return this.#next(admits)?.item;
  }

  add(entry: Entry<T>): void {
    entry.member.entries.append(entry.link);
    this.#join(entry);
  }

  /** Puts the entry before all others of its member; the member still waits its turn. */
  addFirst(entry: Entry<T>): void {
    entry.member.entries.prepend(entry.link);
    this.#join(entry);
  }

  /** False when the entry is not queued. */
  remove(entry: Entry<T>): boolean {
    const { member } = entry;
    const { group } = member;
    if (!member.entries.remove(entry.link)) return false;
    this.#byAge.remove(entry.age);
    if (member.entries.size === 0) group.members.remove(member.link);
    if (group.members.size === 0) this.#groups.remove(group.link);
    return true;
  }

  /** Puts another entry of the same member in the place of one that is queued: nobody loses a turn by changing their mind. */
  replace(entry: Entry<T>, by: Entry<T>): void {
    if (entry.member !== by.member) throw new Error("an entry can only be replaced by one of the same member");
    entry.member.entries.replace(entry.link, by.link);
    this.#byAge.replace(entry.age, by.age);
  }

  take(admits?: (item: T) => boolean): T | undefined {
    const entry = this.#next(admits);
    if (!entry) return undefined;
    this.remove(entry);
    const { member } = entry;
    const { group } = member;
    if (group.members.remove(member.link)) group.members.append(member.link);
    if (this.#groups.remove(group.link)) this.#groups.append(group.link);
    return entry.item;
  }

  #next(admits: ((item: T) => boolean) | undefined): Entry<T> | undefined {
    for (let group = this.#groups.firstLink; group; group = group.next) {
      const entry = group.value.members.first?.entries.first;
      if (entry && (!admits || admits(entry.item))) return entry;
    }
    return undefined;
  }

  #join(entry: Entry<T>): void {
    const { member } = entry;
    const { group } = member;
    this.#byAge.append(entry.age);
    if (!member.link.list) group.members.append(member.link);
    if (!group.link.list) this.#groups.append(group.link);
  }
}
