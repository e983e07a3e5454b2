// Questions to the plugin's routes; they are documented in http_api.md.

/** The answer of a route; what is wrong is one line of text. */
export async function ask(route, parameters = {}) {
  const url = new URL(`../${route}`, import.meta.url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error("TensorBoard does not answer. What is shown is from before.");
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

const ARRAYS = { float32: Float32Array, float64: Float64Array, int32: Int32Array };

/** A packed array; rows of it where it has two axes. */
export function unpack({ dtype, shape, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const flat = new ARRAYS[dtype](bytes.buffer);
  if (shape.length === 1) return flat;
  return Array.from({ length: shape[0] }, (_, i) => flat.subarray(i * shape[1], (i + 1) * shape[1]));
}
