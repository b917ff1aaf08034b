/** A list in the order of deadlines, of equal ones the oldest first. Among thousands each operation takes some microseconds. */
export interface ByDue<T> {
  readonly size: number;
  /** @param due milliseconds of any clock; Infinity where there is no deadline */
  add(value: T, due: number): Dated<T>;
  /** The first of those that are due then or later. */
  from(due: number): Dated<T> | undefined;
  /** Those that are due then or later, but earlier than `until`. */
  between(due: number, until: number): readonly Dated<T>[];
  /** The last of those that are due earlier. */
  before(due: number): Dated<T> | undefined;
}

/** Something in such a list. Once it is removed, its methods do nothing. */
export interface Dated<T> {
  readonly value: T;
  readonly due: number;
  /** Gives it another deadline; it stays as old as it is. */
  move(due: number): void;
  remove(): void;
}

interface Item<T> extends Dated<T> {
  due: number;
  readonly age: number;
}

/** A sorted array: a heap finds no neighbours of a deadline, and to move some thousand pointers by one takes less than to look for one. */
export function createByDue<T>(): ByDue<T> {
  const items: Item<T>[] = [];
  let added = 0;

  /** How many come before an item of this deadline and age. */
  const rankOf = (due: number, age: number): number => {
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = items[middle];
      const isBefore = item !== undefined && (item.due === due ? item.age < age : item.due < due);
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const insert = (item: Item<T>): void => {
    items.splice(rankOf(item.due, item.age), 0, item);
  };
  /** @returns whether it was there */
  const remove = (item: Item<T>): boolean => {
    const rank = rankOf(item.due, item.age);
    return items[rank] === item && items.splice(rank, 1).length > 0;
  };

  return {
    get size() {
      return items.length;
    },
    add(value, due) {
      const item: Item<T> = {
        value,
        due,
        age: (added += 1),
        move(other) {
          if (other === item.due || !remove(item)) return;
          item.due = other;
          insert(item);
        },
        remove: () => void remove(item),
      };
      insert(item);
      return item;
    },
    from: (due) => items[rankOf(due, 0)],
    between: (due, until) => items.slice(rankOf(due, 0), rankOf(until, 0)),
    before: (due) => items[rankOf(due, 0) - 1],
  };
}
