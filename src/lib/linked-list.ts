/** A place in a list. A link is in one list at a time. It is created once and can be linked again and again. */
export class Link<T> {
  readonly value: T;
  list: LinkedList<T> | undefined;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/**
 * A doubly linked list. All operations take constant time and allocate nothing. (A `Set` keeps its order as well, but
 * finding its first element steps over the places of removed ones.)
 */
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

  /** The first link; the others follow by `next`. */
  get firstLink(): Link<T> | undefined {
    return this.#first;
  }

  /** Throws when the link is in a list; so do `prepend` and `replace`. */
  append(link: Link<T>): void {
    this.#insert(link, this.#last, undefined);
  }

  prepend(link: Link<T>): void {
    this.#insert(link, undefined, this.#first);
  }

  /** Throws also when `next` is not in this list. */
  insertBefore(next: Link<T>, link: Link<T>): void {
    if (next.list !== this) throw new Error("linked list: the link to insert before is not in this list");
    this.#insert(link, next.previous, next);
  }

  /** Returns false when the link is not in this list. */
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

  /** Puts `by` in the place of `link`. Throws when `link` is not in this list. */
  replace(link: Link<T>, by: Link<T>): void {
    if (link.list !== this) throw new Error("linked list: the link to replace is not in this list");
    const { next } = link;
    this.#insert(by, link, next);
    this.remove(link);
  }

  /** Removes the first link and returns its value. */
  shift(): T | undefined {
    const link = this.#first;
    if (link === undefined) return undefined;
    this.remove(link);
    return link.value;
  }

  /** Links between two neighbours; undefined: an end of the list. */
  #insert(link: Link<T>, previous: Link<T> | undefined, next: Link<T> | undefined): void {
    if (link.list) throw new Error("linked list: the link is in a list already");
    link.list = this;
    link.previous = previous;
    link.next = next;
    if (previous) previous.next = link;
    else this.#first = link;
    if (next) next.previous = link;
    else this.#last = link;
    this.#size++;
  }
}
