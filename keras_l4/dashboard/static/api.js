// Requests to the plugin's routes, which http_api.md documents.

/** Returns the JSON content of a route. Throws an Error whose message is one line. */
export async function fetchJson(route, parameters = {}) {
  const url = new URL(`../${route}`, import.meta.url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error("TensorBoard does not respond. The page shows the last data received.");
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

const ARRAY_TYPES = { float32: Float32Array, float64: Float64Array, int32: Int32Array };

/** Returns a typed array, or an array of rows if the encoded array has two axes. */
export function decodeArray({ dtype, shape, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const flat = new ARRAY_TYPES[dtype](bytes.buffer);
  if (shape.length === 1) return flat;
  return Array.from({ length: shape[0] }, (_, i) => flat.subarray(i * shape[1], (i + 1) * shape[1]));
}
