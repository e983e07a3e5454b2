// Smoothing as in TensorBoard: an exponential moving average, without the bias of its start.

/** `values` with NaN where they are not finite; `weight` from 0, nothing, to below 1. */
export function smoothed(values, weight) {
  let [sum, total] = [0, 0];
  return Float64Array.from(values, (value) => {
    if (!Number.isFinite(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}
