/**
 * Smooths by an exponential moving average with bias correction, like TensorBoard's scalars.
 *
 * Values that are not finite give NaN and are left out of the average. `weight` is in [0, 1).
 */
export function smooth(values, weight) {
  let [weightedSum, sumOfWeights] = [0, 0];
  return Float64Array.from(values, (value) => {
    if (!Number.isFinite(value)) return NaN;
    weightedSum = weight * weightedSum + (1 - weight) * value;
    sumOfWeights = weight * sumOfWeights + (1 - weight);
    return weightedSum / sumOfWeights;
  });
}
