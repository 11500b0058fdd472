/**
 * Maps of what anybody may name, a job among them: one that is full forgets all, which costs less than to tell what is old.
 */

/** Sets a value; the map has at most `most` keys, from 1, and is emptied before it gets one more. */
export const set = <K, V>(map: Map<K, V>, key: K, value: V, most: number): void => {
  if (map.size >= most && !map.has(key)) map.clear()
  map.set(key, value)
}
