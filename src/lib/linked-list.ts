/** A place in a list. One link is in at most one list at a time; it is made once and linked as often as needed. */
export class Link<T> {
  readonly value: T;
  list: LinkedList<T> | undefined;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/** A doubly linked list: append, prepend, remove and first are constant time and allocate nothing.
 *  (A `Set` keeps order too, but finding its first element walks over the places of removed ones.) */
export class LinkedList<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Where a walk along `next` begins. */
  get firstLink(): Link<T> | undefined {
    return this.#first;
  }

  append(link: Link<T>): void {
    this.#claim(link);
    link.previous = this.#last;
    if (this.#last) this.#last.next = link;
    else this.#first = link;
    this.#last = link;
  }

  prepend(link: Link<T>): void {
    this.#claim(link);
    link.next = this.#first;
    if (this.#first) this.#first.previous = link;
    else this.#last = link;
    this.#first = link;
  }

  /** False when the link is not in this list. */
  remove(link: Link<T>): boolean {
    if (link.list !== this) return false;
    if (link.previous) link.previous.next = link.next;
    else this.#first = link.next;
    if (link.next) link.next.previous = link.previous;
    else this.#last = link.previous;
    link.list = link.previous = link.next = undefined;
    this.#size--;
    return true;
  }

  /** Puts `by` in the place of `link`, which must be in this list. */
  replace(link: Link<T>, by: Link<T>): void {
    if (link.list !== this) throw new Error("only a link of this list can be replaced");
    this.#claim(by);
    by.previous = link.previous;
    by.next = link.next;
    if (by.previous) by.previous.next = by;
    else this.#first = by;
    if (by.next) by.next.previous = by;
    else this.#last = by;
    link.list = link.previous = link.next = undefined;
    this.#size--;
  }

  shift(): T | undefined {
    const link = this.#first;
    if (!link) return undefined;
    this.remove(link);
    return link.value;
  }

  #claim(link: Link<T>): void {
    if (link.list) throw new Error("a link can be in one list only");
    link.list = this;
    this.#size++;
  }
}
