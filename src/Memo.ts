/**
 * What is made of an object once, for as long as the object is there: definitions of mail servers, policies, each of which many
 * jobs share.
 */

/** `make`, called once for each object. */
export const of = <K extends object, V>(make: (object: K) => V): ((object: K) => V) => {
  const made = new WeakMap<K, { readonly value: V }>()
  return (object) => {
    const known = made.get(object)
    if (known !== undefined) return known.value
    const value = make(object)
    made.set(object, { value })
    return value
  }
}
